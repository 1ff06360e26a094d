package browser

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
)

// Tab is one page of the browser.
type Tab struct {
	c       *Chromium
	session string

	mu         sync.Mutex
	loaded     chan struct{}
	complaints []string
}

// Open opens an empty page.
func (c *Chromium) Open(ctx context.Context) (*Tab, error) {
	var target struct {
		TargetID string `json:"targetId"`
	}
	if err := c.call(ctx, "", "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return nil, err
	}
	var session struct {
		SessionID string `json:"sessionId"`
	}
	if err := c.call(ctx, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session); err != nil {
		return nil, err
	}
	t := &Tab{c: c, session: session.SessionID, loaded: make(chan struct{}, 16)}
	c.mu.Lock()
	c.tabs[t.session] = t
	c.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		if err := t.call(ctx, domain+".enable", struct{}{}, nil); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *Tab) call(ctx context.Context, method string, params, result any) error {
	return t.c.call(ctx, t.session, method, params, result)
}

// event notes that a page has loaded, and what the browser complains of.
func (t *Tab) event(method string, params json.RawMessage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch method {
	case "Page.loadEventFired":
		select {
		case t.loaded <- struct{}{}:
		default:
		}
	case "Runtime.exceptionThrown", "Log.entryAdded":
		t.complaints = append(t.complaints, string(params))
	}
}

// Complaints returns what the browser complained of since the last time: scripts that failed, what the page's policy stopped, answers that were errors.
func (t *Tab) Complaints() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.Clone(t.complaints)
	t.complaints = nil
	return list
}

// Go loads an address and returns when it is loaded.
func (t *Tab) Go(ctx context.Context, url string) error {
	for len(t.loaded) > 0 {
		<-t.loaded
	}
	var r struct {
		ErrorText string `json:"errorText"`
	}
	if err := t.call(ctx, "Page.navigate", map[string]any{"url": url}, &r); err != nil {
		return err
	}
	if r.ErrorText != "" {
		return fmt.Errorf("%s: %s", url, r.ErrorText)
	}
	select {
	case <-t.loaded:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s did not load: %w", url, ctx.Err())
	}
}

// Eval evaluates an expression in the page, waits for it if it is a promise, and stores its value in out, unless that is nil.
func (t *Tab) Eval(ctx context.Context, expression string, out any) error {
	var r struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		Exception *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	if err := t.call(ctx, "Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &r); err != nil {
		return err
	}
	if r.Exception != nil {
		return errors.New(r.Exception.Text + ": " + r.Exception.Exception.Description)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(r.Result.Value, out)
}

// Await waits until an expression is true in the page.
func (t *Tab) Await(ctx context.Context, condition string) error {
	err := t.Eval(ctx, `new Promise((done) => { const look = () => { if (`+condition+`) done(true); else setTimeout(look, 30); }; look(); })`, nil)
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", condition, err)
	}
	return nil
}

// Click presses the mouse on the first element that a selector finds, where a person would see it.
func (t *Tab) Click(ctx context.Context, selector string) error {
	var at *struct{ X, Y float64 }
	err := t.Eval(ctx, fmt.Sprintf(`(() => { const e = document.querySelector(%q); if (!e) return null; e.scrollIntoView({block: "center"}); const b = e.getBoundingClientRect();
		const x = b.x + b.width / 2, y = b.y + b.height / 2; const top = document.elementFromPoint(x, y); return top && (e.contains(top) || top.contains(e)) ? {X: x, Y: y} : null; })()`, selector), &at)
	if err != nil {
		return err
	}
	if at == nil {
		return fmt.Errorf("there is nothing to click on at %s, or something lies over it", selector)
	}
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		if err := t.call(ctx, "Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil); err != nil {
			return err
		}
	}
	return nil
}

// Type puts text where the cursor is, as a keyboard does.
func (t *Tab) Type(ctx context.Context, text string) error {
	return t.call(ctx, "Input.insertText", map[string]any{"text": text}, nil)
}

// Size makes the page as wide and high as a window would, light or dark.
func (t *Tab) Size(ctx context.Context, width, height int, scheme string) error {
	return errors.Join(t.call(ctx, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil),
		t.call(ctx, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil))
}

// Shot writes what is seen into a PNG file.
func (t *Tab) Shot(ctx context.Context, file string) error {
	var r struct {
		Data string `json:"data"`
	}
	if err := t.call(ctx, "Page.captureScreenshot", map[string]any{"format": "png"}, &r); err != nil {
		return err
	}
	png, err := base64.StdEncoding.DecodeString(r.Data)
	if err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o644)
}
