package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/goipsec/goipsec/test/interop/peers"
)

// Chromium is a running browser without a window, driven by the DevTools protocol: JSON messages, a NUL behind each, over a pair of pipes.
type Chromium struct {
	cmd    *exec.Cmd
	in     *os.File // what it reads
	answer *os.File
	log    string // file with what it says

	mu      sync.Mutex
	next    int
	waiting map[int]chan message
	tabs    map[string]*Tab
	ended   chan struct{}
}

// message is one of the protocol, in either direction.
type message struct {
	ID      int             `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Params  any             `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// program finds a Chromium: the host's own, or Debian's package unpacked in the cache.
func program(ctx context.Context, dir string, logf func(string, ...any)) (path string, env []string, err error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil, nil
		}
	}
	set, err := peers.EnsureBrowser(ctx, logf)
	if err != nil {
		return "", nil, fmt.Errorf("there is no Chromium here, and none can be had: %w", err)
	}
	return set.Browser(dir)
}

// Launch starts a browser with a new, empty profile in dir. names are resolved to 127.0.0.1 in it.
func Launch(ctx context.Context, dir string, names []string, logf func(string, ...any)) (*Chromium, error) {
	path, env, err := program(ctx, dir, logf)
	if err != nil {
		return nil, err
	}
	args := []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--disable-extensions", "--disable-breakpad", "--disable-crash-reporter", "--no-default-browser-check", "--remote-debugging-pipe",
		"--force-prefers-reduced-motion", "--user-data-dir=" + filepath.Join(dir, "profile")}
	rules := "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"
	for _, n := range names {
		rules = "MAP " + n + " 127.0.0.1 , " + rules
	}
	args = append(args, "--host-resolver-rules="+rules, "about:blank")
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answer, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, theirIn.Close(), in.Close())
	}
	c := &Chromium{cmd: exec.Command(path, args...), in: in, answer: answer, waiting: map[int]chan message{}, tabs: map[string]*Tab{}, ended: make(chan struct{})}
	c.cmd.Env = append(append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir), env...)
	c.cmd.ExtraFiles = []*os.File{theirIn, theirOut} // file descriptors 3 and 4
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(dir, "chromium.log"))
	if err != nil {
		return nil, err
	}
	c.log = log.Name()
	c.cmd.Stdout, c.cmd.Stderr = log, log
	err = c.cmd.Start()
	theirIn.Close()
	theirOut.Close()
	log.Close()
	if err != nil {
		return nil, err
	}
	go c.read()
	return c, nil
}

// read hands answers to those who wait, and events to their tabs.
func (c *Chromium) read() {
	defer close(c.ended)
	r := bufio.NewReader(c.answer)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			message
			Params json.RawMessage `json:"params"`
		}
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		c.mu.Lock()
		if w := c.waiting[m.ID]; m.ID != 0 && w != nil {
			delete(c.waiting, m.ID)
			w <- m.message
		} else if t := c.tabs[m.Session]; t != nil {
			t.event(m.Method, m.Params)
		}
		c.mu.Unlock()
	}
}

// call sends a command and waits for its result.
func (c *Chromium) call(ctx context.Context, session, method string, params, result any) error {
	done := make(chan message, 1)
	c.mu.Lock()
	c.next++
	id := c.next
	c.waiting[id] = done
	text, err := json.Marshal(message{ID: id, Method: method, Session: session, Params: params})
	if err == nil {
		_, err = c.in.Write(append(text, 0))
	}
	c.mu.Unlock()
	if err != nil {
		return c.death(method, err)
	}
	select {
	case m := <-done:
		if m.Error != nil {
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-c.ended:
		return c.death(method, errors.New("the browser has ended"))
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// death adds to an error what the browser said last.
func (c *Chromium) death(method string, err error) error {
	text, _ := os.ReadFile(c.log)
	if len(text) > 2000 {
		text = text[len(text)-2000:]
	}
	return fmt.Errorf("%s: %w; it said:\n%s", method, err, text)
}

// Close ends the browser and everything it started.
func (c *Chromium) Close() error {
	err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // the group that Launch made for it
	_ = c.cmd.Wait()                                         // it says that it was killed
	return errors.Join(err, c.in.Close(), c.answer.Close())
}
