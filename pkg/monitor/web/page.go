package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/goipsec/goipsec/pkg/endpoint"
	"github.com/goipsec/goipsec/pkg/monitor"
)

// pageSize is how many rows a page has.
const pageSize = 100

var pageTemplate = template.Must(template.ParseFS(files, "page.html"))

// headData is what is always shown, in the form that the script asks for every second.
type headData struct {
	Head    []monitor.Field `json:"head"`
	Facts   []monitor.Field `json:"facts"`
	Applied time.Time       `json:"applied"`
}

// tableData is one view, likewise.
type tableData struct {
	View   string `json:"view"`
	Title  string `json:"title"`
	Static bool   `json:"static"`
	Search string `json:"search"`
	// Since is when the policy was applied that the table is about.
	Since time.Time     `json:"since"`
	Size  int           `json:"size"` // rows of a page
	Table monitor.Table `json:"table"`
}

// pageData is what the template makes a page of.
type pageData struct {
	headData
	tableData
	Group   string
	Groups  []group
	Actions bool
	Range   string
	Earlier string // address of the page before, "" if there is none
	Later   string
}

type group struct {
	Name  string
	Views []monitor.View
}

// groups are the views as the navigation has them.
func groups() (list []group) {
	for _, v := range monitor.Views {
		if len(list) == 0 || list[len(list)-1].Name != v.Group {
			list = append(list, group{Name: v.Group})
		}
		g := &list[len(list)-1]
		g.Views = append(g.Views, v)
	}
	return list
}

// page answers with a whole page, which works without the script too.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	v, t, ok := s.table(w, r)
	if !ok {
		return
	}
	h, ok := s.headline(w)
	if !ok {
		return
	}
	d := pageData{headData: h, tableData: t, Group: v.Group, Groups: groups(), Actions: s.token.set, Range: span(&t.Table)}
	if v.ID != monitor.Views[0].ID {
		d.Facts = nil
	}
	d.Earlier, d.Later = neighbours(&t)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, d); err != nil {
		refuse(w, http.StatusInternalServerError, "the page could not be made")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

func (s *Server) head(w http.ResponseWriter, _ *http.Request) {
	if h, ok := s.headline(w); ok {
		answer(w, h)
	}
}

func (s *Server) data(w http.ResponseWriter, r *http.Request) {
	if _, t, ok := s.table(w, r); ok {
		answer(w, t)
	}
}

// headline asks the endpoint what is always shown, or refuses and returns false.
func (s *Server) headline(w http.ResponseWriter) (headData, bool) {
	p, err := s.e.List(endpoint.Query{List: endpoint.ListOverview})
	if err != nil || p.Status == nil {
		refuse(w, http.StatusServiceUnavailable, "the endpoint has stopped")
		return headData{}, false
	}
	return headData{Head: monitor.Headline(p.Status), Facts: monitor.Facts(p.Status), Applied: p.Applied}, true
}

// table asks for the view that a request names, or refuses and returns false.
func (s *Server) table(w http.ResponseWriter, r *http.Request) (monitor.View, tableData, bool) {
	v := monitor.Views[0]
	if id := r.PathValue("view"); id != "" {
		var ok bool
		if v, ok = monitor.ByID(id); !ok {
			refuse(w, http.StatusNotFound, "there is no such view")
			return v, tableData{}, false
		}
	}
	q := r.URL.Query()
	search, from := q.Get("search"), 0
	if text := q.Get("from"); text != "" {
		var err error
		if from, err = strconv.Atoi(text); err != nil || from < 0 {
			refuse(w, http.StatusBadRequest, "from is not the number of a row")
			return v, tableData{}, false
		}
	}
	p, err := s.e.List(v.Query(search, from, pageSize))
	switch {
	case errors.Is(err, endpoint.ErrQuery):
		refuse(w, http.StatusBadRequest, monitor.Clean(err.Error()))
		return v, tableData{}, false
	case err != nil:
		refuse(w, http.StatusServiceUnavailable, "the endpoint has stopped")
		return v, tableData{}, false
	}
	return v, tableData{View: v.ID, Title: v.Title, Static: v.Static, Search: search, Since: p.Applied, Size: pageSize, Table: v.Table(&p, search)}, true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client went away: nobody is left to be told
}

// span says which rows a page shows.
func span(t *monitor.Table) string {
	switch {
	case t.Matched == 0 && t.Total == 0:
		return "nothing"
	case t.Matched == 0:
		return fmt.Sprintf("none of %d", t.Total)
	case len(t.Rows) == 0:
		return fmt.Sprintf("no row %d: there are %d", t.Offset+1, t.Matched)
	}
	s := fmt.Sprintf("%d – %d of %d", t.Offset+1, t.Offset+len(t.Rows), t.Matched)
	if t.Matched != t.Total {
		s += fmt.Sprintf(" found in %d", t.Total)
	}
	return s
}

// neighbours are the addresses of the pages before and after.
func neighbours(d *tableData) (earlier, later string) {
	at := func(from int) string {
		q := url.Values{"from": {strconv.Itoa(from)}}
		if d.Search != "" {
			q.Set("search", d.Search)
		}
		return "/view/" + d.View + "?" + q.Encode()
	}
	t := &d.Table
	if t.Offset > 0 {
		earlier = at(max(0, t.Offset-pageSize))
	}
	if t.Offset+len(t.Rows) < t.Matched && len(t.Rows) > 0 {
		later = at(t.Offset + pageSize)
	}
	return earlier, later
}
