package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// What a page may do: load its own script, style and icon, and ask this server. Nothing is inline, nothing comes from elsewhere, nobody may frame it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

var headers = map[string]string{
	"Content-Security-Policy":      contentPolicy,
	"X-Frame-Options":              "DENY",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}

// guarded lets only those requests through that a page of this server, or a person or program on this host, has made.
func (s *Server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			w.Header().Set(name, value)
		}
		if !s.ours(r.Host) {
			// DNS rebinding: the browser believes that this server is another site, and would let that site's scripts read the answer.
			refuse(w, http.StatusMisdirectedRequest, "this server is called by its loopback address and port only, or by localhost")
			return
		}
		if why := crossSite(r); why != "" {
			refuse(w, http.StatusForbidden, why)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ours reports whether a Host header names this server. On a unix socket, which a browser reaches through a forwarded port only, the port is anybody's.
func (s *Server) ours(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), "80"
	}
	if s.port != "" && port != s.port {
		return false
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.IsLoopback() && a.Zone() == ""
}

// crossSite says why a request comes from a page of another origin; "" if it does not. Browsers of today say so in Sec-Fetch-Site, older ones in Origin, and neither
// can be set by a script. A request without both is not a page's, unless it is a plain GET, whose answer another site cannot read.
func crossSite(r *http.Request) string {
	site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case site != "" && site != "same-origin" && site != "none": // none: typed, or a bookmark
		return "the request comes from a page of another site"
	case origin == "" && site == "" && !reads:
		return "the request does not say which page it comes from"
	case origin != "" && origin != "http://"+r.Host:
		return "the request comes from a page of another origin"
	}
	return ""
}

func refuse(w http.ResponseWriter, status int, why string) { http.Error(w, why, status) }
