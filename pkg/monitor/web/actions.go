package web

import (
	"encoding/json"
	"mime"
	"net/http"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/monitor"
)

// tokenHeader holds the token. A form cannot set it, and a script of another site cannot without asking first, which nobody here answers.
const tokenHeader = "X-Goipsec-Token"

// maxAction is the size of what is asked for, in bytes.
const maxAction = 1 << 10

// outcome says how an action ended.
type outcome struct {
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// do changes something for who knows the token.
func (s *Server) do(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "send JSON")
		return
	}
	if !s.token.fits(r.Header.Get(tokenHeader)) {
		refuse(w, http.StatusForbidden, "the token is missing or wrong")
		return
	}
	var q struct {
		Target string `json:"target"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAction)).Decode(&q); err != nil {
		refuse(w, http.StatusBadRequest, "the body is not the JSON that is expected here")
		return
	}
	text, err, known := s.change(r, q.Target)
	if !known {
		refuse(w, http.StatusNotFound, "there is no such action")
		return
	}
	if err != nil {
		text = err.Error()
	}
	answer(w, outcome{OK: err == nil, Text: monitor.Clean(text)})
}

// change does what a request asks for, and says it in words.
func (s *Server) change(r *http.Request, target string) (text string, err error, known bool) {
	switch r.PathValue("what") {
	case "check": // the token, and nothing else
		return "unlocked", nil, true
	case "rekey":
		return "new keys for SA " + target + " are being negotiated", s.e.Rekey(target), true
	case "delete":
		return "SA " + target + " is deleted", s.e.Delete(target), true
	case "connect":
		return target + " is connected", s.e.Connect(r.Context(), target), true
	case "reload":
		waiting, err := s.e.Reload()
		text := "the policy was read again and applied"
		for _, w := range waiting {
			text += "; but " + w.String() + ": " + endpoint.RestartAdvice
		}
		return text, err, true
	}
	return "", nil, false
}
