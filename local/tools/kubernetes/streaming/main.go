// The node's port, to which the API server sends what kubectl asks of a kubelet: logs, exec, attach
// and port-forward.
//
// The streams are served by the kubelet's own library. The node agent starts this program, and
// opens what is behind the streams; see agent.go.
//
//	streaming LISTENER CONTROL CERTIFICATES
//
// LISTENER and CONTROL are numbers of descriptors that the agent has opened.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
	streams "k8s.io/kubelet/pkg/cri/streaming/remotecommand"
)

const (
	client = "kube-apiserver"
	// The kubelet's own limits.
	idle     = 4 * time.Hour
	creation = remotecommand.DefaultStreamCreationTimeout
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: streaming LISTENER CONTROL CERTIFICATES")
	}
	if err := serve(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal("streaming: ", err)
	}
}

func serve(listener, control, certificates string) error {
	port, err := net.FileListener(inherited(listener))
	if err != nil {
		return err
	}
	node, err := connect(inherited(control))
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(filepath.Join(certificates, "ca.crt"))
	if err != nil {
		return err
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(authority)
	server := &http.Server{
		Handler:           onlyFromAPIServer(routes(node)),
		TLSConfig:         &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients},
		ConnContext:       connectionContext,
		ReadHeaderTimeout: 30 * time.Second,
	}
	// An upgrade to streams needs HTTP/1.1.
	server.Protocols = new(http.Protocols)
	server.Protocols.SetHTTP1(true)
	own := filepath.Join(certificates, "node")
	return server.ServeTLS(watchedListener{port}, own+".crt", own+".key")
}

func inherited(number string) *os.File {
	descriptor, err := strconv.Atoi(number)
	if err != nil {
		log.Fatalf("streaming: %q is not a descriptor", number)
	}
	return os.NewFile(uintptr(descriptor), number)
}

func onlyFromAPIServer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.TLS.PeerCertificates[0].Subject.CommonName; name != client {
			http.Error(w, fmt.Sprintf("only the API server has access, not %q", name), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func routes(node *agent) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		serveLogs(w, r, node)
	})
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		if wanted := options(w, r); wanted != nil {
			streams.ServeExec(w, r, node, pod(r), "", r.PathValue("container"), r.Form["command"], wanted,
				idle, creation, remotecommand.SupportedStreamingProtocols)
		}
	})
	mux.HandleFunc("/attach/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request) {
		if wanted := options(w, r); wanted != nil {
			streams.ServeAttach(w, r, node, pod(r), "", r.PathValue("container"), wanted,
				idle, creation, remotecommand.SupportedStreamingProtocols)
		}
	})
	mux.HandleFunc("/portForward/{namespace}/{pod}", func(w http.ResponseWriter, r *http.Request) {
		ports, err := portforward.NewV4Options(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		portforward.ServePortForward(w, r, forwarder{node, r.Context()}, pod(r), "", ports,
			idle, creation, portforward.SupportedProtocols)
	})
	return mux
}

// pod is the pod's namespace and name, as one text.
func pod(r *http.Request) string {
	return r.PathValue("namespace") + "/" + r.PathValue("pod")
}

func options(w http.ResponseWriter, r *http.Request) *streams.Options {
	wanted, err := streams.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return wanted
}

func serveLogs(w http.ResponseWriter, r *http.Request, node *agent) {
	wanted := map[string]string{}
	for name, values := range r.URL.Query() {
		wanted[name] = values[0]
	}
	opened, err := node.open(r.Context(), request{
		Action: "logs", Pod: pod(r), Container: r.PathValue("container"), Options: wanted,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer opened.close()
	w.Header().Set("Content-Type", "text/plain")
	io.Copy(flushed{w}, opened.files["stdout"])
}

// flushed sends each piece of an answer at once.
type flushed struct{ http.ResponseWriter }

func (f flushed) Write(data []byte) (int, error) {
	n, err := f.ResponseWriter.Write(data)
	return n, errors.Join(err, http.NewResponseController(f.ResponseWriter).Flush())
}

// watchedListener accepts connections that cancel the context of their requests when they break
// off. Neither net/http nor the streams' library does that after an upgrade.
type watchedListener struct{ net.Listener }

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return watched{conn, ctx, cancel}, nil
}

type watched struct {
	net.Conn
	alive  context.Context
	broken context.CancelFunc
}

func (w watched) Read(data []byte) (int, error) {
	n, err := w.Conn.Read(data)
	// net/http interrupts its own reads by a deadline.
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		w.broken()
	}
	return n, err
}

func (w watched) Close() error {
	w.broken()
	return w.Conn.Close()
}

func connectionContext(ctx context.Context, conn net.Conn) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(conn.(*tls.Conn).NetConn().(watched).alive, cancel)
	return ctx
}
