package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/utils/exec"
)

// The most that a pipe or a terminal holds after its last writer has ended, in bytes.
const held = 1 << 20

// ExecInContainer runs a command in a container.
func (a *agent) ExecInContainer(ctx context.Context, pod string, _ types.UID, container string, command []string,
	in io.Reader, out, errs io.WriteCloser, tty bool, sizes <-chan remotecommand.TerminalSize, _ time.Duration) error {
	opened, err := a.open(ctx, request{
		Action: "exec", Pod: pod, Container: container, Command: command, Terminal: tty,
	})
	if err != nil {
		return err
	}
	defer opened.close()
	return opened.carry(in, out, errs, sizes)
}

// AttachContainer carries the output of a running container from now on, and its input.
func (a *agent) AttachContainer(ctx context.Context, pod string, _ types.UID, container string,
	in io.Reader, out, errs io.WriteCloser, _ bool, sizes <-chan remotecommand.TerminalSize) error {
	opened, err := a.open(ctx, request{Action: "attach", Pod: pod, Container: container})
	if err != nil {
		return err
	}
	defer opened.close()
	return opened.carry(in, out, errs, sizes)
}

// carry copies between the client's streams, nil where there is none, and the session's files,
// until the agent says that the program has ended.
func (s *session) carry(in io.Reader, out, errs io.Writer, sizes <-chan remotecommand.TerminalSize) error {
	var outputs sync.WaitGroup
	output := func(target io.Writer, file *os.File) {
		if target != nil && file != nil {
			outputs.Go(func() { copyOutput(target, file) })
		}
	}
	if terminal := s.files["terminal"]; terminal != nil {
		if in != nil {
			go io.Copy(terminal, in)
		}
		output(out, terminal)
		go resize(terminal, sizes)
	} else {
		go copyInput(s.files["stdin"], in)
		output(out, s.files["stdout"])
		output(errs, s.files["stderr"])
	}
	code, err := s.receive()
	for _, file := range s.files {
		file.SetReadDeadline(time.Now())
	}
	outputs.Wait()
	if err == nil && code != 0 {
		return exec.CodeExitError{Err: fmt.Errorf("%d", code), Code: code}
	}
	return err
}

// copyInput also passes the end on. Without a stream there is no input.
func copyInput(file *os.File, in io.Reader) {
	if file == nil {
		return
	}
	if in != nil {
		io.Copy(file, in)
	}
	file.Close()
}

// copyOutput copies until the end, or until the file's deadline and then what is there: a process
// in the background may keep the file open.
func copyOutput(target io.Writer, file *os.File) {
	io.Copy(target, file)
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	data := make([]byte, 1<<15)
	for total, n := 0, 1; n > 0 && total < held; total += n {
		raw.Control(func(descriptor uintptr) { n, _ = unix.Read(int(descriptor), data) })
		if n > 0 {
			target.Write(data[:n])
		}
	}
}

func resize(terminal *os.File, sizes <-chan remotecommand.TerminalSize) {
	raw, err := terminal.SyscallConn()
	if err != nil {
		return
	}
	for size := range sizes {
		raw.Control(func(descriptor uintptr) {
			unix.IoctlSetWinsize(int(descriptor), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Height, Col: size.Width})
		})
	}
}

// forwarder forwards the connections of one `kubectl port-forward`.
type forwarder struct {
	node  *agent
	alive context.Context
}

// PortForward forwards one connection to a port of a pod.
func (f forwarder) PortForward(_ context.Context, pod string, _ types.UID, port int32, client io.ReadWriteCloser) error {
	opened, err := f.node.open(f.alive, request{Action: "forward", Pod: pod, Port: port})
	if err != nil {
		return err
	}
	defer opened.close()
	server, err := net.FileConn(opened.files["socket"])
	if err != nil {
		return err
	}
	defer server.Close()
	defer context.AfterFunc(f.alive, func() { server.Close() })()
	go func() {
		io.Copy(server, client)
		server.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(client, server)
	return err
}
