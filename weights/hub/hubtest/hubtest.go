// Package hubtest is a hub for tests: a local server that answers as the Hugging
// Face hub does, with a second host that stores large files. It can be told to
// misbehave.
package hubtest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Hub is a running server. Its exported fields are set before the first request.
type Hub struct {
	URL     string // endpoint, for HF_ENDPOINT
	Storage string // address of the second host

	LargeFrom int               // bytes from which a file is stored on the second host; default 1024
	Private   map[string]string // repository → token that may read it
	Gated     map[string]bool   // repositories that answer 403 GatedRepo
	Renamed   map[string]string // old → new repository, answered by a relative redirect

	// Fault is asked first for each request, on both hosts; it answers and
	// returns true, or returns false to let the hub answer.
	Fault func(w http.ResponseWriter, r *http.Request) bool

	front, store *httptest.Server

	mu       sync.Mutex
	repos    map[string]*repository
	blobs    map[string][]byte
	requests []Request
}

type repository struct {
	refs    map[string]string // branch → commit
	commits map[string]map[string][]byte
}

// Request is a request that the hub has seen.
type Request struct {
	Storage       bool // it went to the second host
	Method, Path  string
	Authorization string
	Range         string
	IfRange       string
}

// New starts a hub.
func New() *Hub {
	h := &Hub{LargeFrom: 1024, repos: map[string]*repository{}, blobs: map[string][]byte{}}
	h.front = httptest.NewServer(h.log(false, h.serve))
	h.store = httptest.NewServer(h.log(true, h.serveBlob))
	h.URL, h.Storage = h.front.URL, h.store.URL
	return h
}

// Close stops both hosts and cuts connections that are still in use.
func (h *Hub) Close() {
	for _, s := range []*httptest.Server{h.front, h.store} {
		s.CloseClientConnections()
		s.Close()
	}
}

// Add makes a commit of some files the head of a branch and returns its hash,
// which follows from repository, branch and contents.
func (h *Hub) Add(repo, branch string, files map[string][]byte) (commit string) {
	sum := sha1.New()
	fmt.Fprintf(sum, "%s@%s\n", repo, branch)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s %x\n", name, sha256.Sum256(files[name]))
	}
	commit = fmt.Sprintf("%x", sum.Sum(nil))
	h.AddCommit(repo, branch, commit, files)
	return commit
}

// AddCommit is Add with a given hash.
func (h *Hub) AddCommit(repo, branch, commit string, files map[string][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.repos[repo]
	if r == nil {
		r = &repository{refs: map[string]string{}, commits: map[string]map[string][]byte{}}
		h.repos[repo] = r
	}
	r.refs[branch] = commit
	r.commits[commit] = maps.Clone(files)
	for _, b := range files {
		h.blobs[fmt.Sprintf("%x", sha256.Sum256(b))] = b
	}
}

// Requests returns what was asked so far.
func (h *Hub) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

func (h *Hub) log(storage bool, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.requests = append(h.requests, Request{
			Storage: storage, Method: r.Method, Path: r.URL.EscapedPath(),
			Authorization: r.Header.Get("Authorization"),
			Range:         r.Header.Get("Range"), IfRange: r.Header.Get("If-Range"),
		})
		h.mu.Unlock()
		if h.Fault == nil || !h.Fault(w, r) {
			next(w, r)
		}
	}
}

// ETag returns the hub's name for a content: SHA-256 if it is stored as a large
// file, else the SHA-1 of its git blob.
func (h *Hub) ETag(b []byte) string {
	if len(b) >= h.LargeFrom {
		return fmt.Sprintf("%x", sha256.Sum256(b))
	}
	return fmt.Sprintf("%x", sha1.Sum(append([]byte("blob "+strconv.Itoa(len(b))+"\x00"), b...)))
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	http.Error(w, message, status)
}

// serve answers /REPO/resolve/REVISION/FILE and /api/models/REPO/revision/REVISION.
func (h *Hub) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	listing, api := strings.CutPrefix(path, "api/models/")
	if api {
		path = listing
	}
	separator := "/resolve/"
	if api {
		separator = "/revision/"
	}
	repo, rest, _ := strings.Cut(path, separator)
	revision, file, _ := strings.Cut(rest, "/")
	revision, _ = url.PathUnescape(revision)
	file, _ = url.PathUnescape(file)

	if to, ok := h.Renamed[repo]; ok {
		http.Redirect(w, r, "/"+strings.Replace(strings.TrimPrefix(r.URL.EscapedPath(), "/"), repo, to, 1), http.StatusTemporaryRedirect)
		return
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if want, ok := h.Private[repo]; ok && token != want {
		if token != "" {
			refuse(w, http.StatusUnauthorized, "", "Invalid credentials in Authorization header")
			return
		}
		refuse(w, http.StatusUnauthorized, "RepoNotFound", "Repository not found")
		return
	}
	if h.Gated[repo] {
		refuse(w, http.StatusForbidden, "GatedRepo", "Access to model "+repo+" is restricted")
		return
	}
	h.mu.Lock()
	re := h.repos[repo]
	var commit string
	var files map[string][]byte
	if re != nil {
		commit = revision
		if c, ok := re.refs[revision]; ok {
			commit = c
		}
		files = re.commits[commit]
	}
	h.mu.Unlock()
	switch {
	case re == nil:
		refuse(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
	case files == nil:
		refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
	case api:
		h.serveList(w, commit, files)
	default:
		h.serveFile(w, r, commit, file, files)
	}
}

func (h *Hub) serveList(w http.ResponseWriter, commit string, files map[string][]byte) {
	type sibling struct {
		Name string `json:"rfilename"`
	}
	var list []sibling
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, sibling{name})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": list})
}

func (h *Hub) serveFile(w http.ResponseWriter, r *http.Request, commit, file string, files map[string][]byte) {
	w.Header().Set("X-Repo-Commit", commit)
	b, ok := files[file]
	if !ok {
		refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	etag := h.ETag(b)
	w.Header().Set("ETag", `"`+etag+`"`)
	if len(b) < h.LargeFrom {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
		return
	}
	w.Header().Set("X-Linked-Etag", `"`+etag+`"`)
	w.Header().Set("X-Linked-Size", strconv.Itoa(len(b)))
	http.Redirect(w, r, h.Storage+"/"+etag+"?X-Signature=secret", http.StatusFound)
}

// serveBlob answers for the storage host, which has validators of its own.
func (h *Hub) serveBlob(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	b, ok := h.blobs[strings.TrimPrefix(r.URL.Path, "/")]
	h.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"storage-%d"`, len(b)))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}
