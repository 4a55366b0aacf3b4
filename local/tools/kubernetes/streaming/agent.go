package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// agent is the node agent, at the other end of a socket. A request is one message, with one end of
// a socket pair. On that the agent answers: first with an error, or with descriptors and their
// names; at the end with an exit code. If this program closes its end, the agent ends what it has
// started. Messages are JSON.
type agent struct{ control *net.UnixConn }

type request struct {
	Action    string            `json:"action"`
	Pod       string            `json:"pod"`
	Container string            `json:"container,omitempty"`
	Command   []string          `json:"command,omitempty"`
	Terminal  bool              `json:"terminal,omitempty"`
	Port      int32             `json:"port,omitempty"`
	Options   map[string]string `json:"options,omitempty"`
}

type answer struct {
	Files []string `json:"files"`
	Error string   `json:"error"`
	Code  int      `json:"code"`
}

// session is a request under way.
type session struct {
	conn  *net.UnixConn
	files map[string]*os.File
}

// connect takes the agent's socket over. This program ends with the agent.
func connect(control *os.File) (*agent, error) {
	conn, err := unixConn(control)
	if err != nil {
		return nil, err
	}
	go func() {
		conn.Read(make([]byte, 1))
		os.Exit(0)
	}()
	return &agent{conn}, nil
}

// open sends a request. The session ends with the context.
func (a *agent) open(ctx context.Context, r request) (*session, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	_, _, err = a.control.WriteMsgUnix(data, unix.UnixRights(pair[1]), nil)
	unix.Close(pair[1])
	conn, failed := unixConn(os.NewFile(uintptr(pair[0]), r.Action))
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("the node agent can't be asked: %w", err)
	}
	opened := &session{conn: conn, files: map[string]*os.File{}}
	context.AfterFunc(ctx, func() { conn.Close() })
	if _, err := opened.receive(); err != nil {
		opened.close()
		return nil, err
	}
	return opened, nil
}

// receive waits for the next message. The exit code that it has, or its error.
func (s *session) receive() (int, error) {
	data, rights := make([]byte, 1<<16), make([]byte, unix.CmsgSpace(3*4))
	n, size, _, _, err := s.conn.ReadMsgUnix(data, rights)
	if err != nil || n == 0 {
		return 0, errors.Join(errors.New("the node agent gave no answer"), err)
	}
	var received answer
	if err := json.Unmarshal(data[:n], &received); err != nil {
		return 0, err
	}
	if received.Error != "" {
		return 0, errors.New(received.Error)
	}
	return received.Code, s.take(received.Files, rights[:size])
}

// take keeps the descriptors that came with a message.
func (s *session) take(names []string, rights []byte) error {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return err
	}
	var descriptors []int
	for _, message := range messages {
		found, err := unix.ParseUnixRights(&message)
		if err != nil {
			return err
		}
		descriptors = append(descriptors, found...)
	}
	if len(descriptors) != len(names) {
		return fmt.Errorf("%d descriptors for %v", len(descriptors), names)
	}
	for i, name := range names {
		// So that a read ends when the file is closed, or at a deadline.
		unix.SetNonblock(descriptors[i], true)
		s.files[name] = os.NewFile(uintptr(descriptors[i]), name)
	}
	return nil
}

func (s *session) close() {
	s.conn.Close()
	for _, file := range s.files {
		file.Close()
	}
}

// unixConn is the socket behind a file, which is closed.
func unixConn(file *os.File) (*net.UnixConn, error) {
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}
