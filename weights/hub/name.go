package hub

import (
	"path/filepath"
	"regexp"
	"strings"
)

const defaultRevision = "main"

// fileID names one file of one revision of a repository.
type fileID struct {
	repo, revision, file string
}

var (
	repoPart   = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$`)
	commitHash = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Hex  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	blobName   = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$`)
)

// checkRepo accepts NAME and ORG/NAME under the hub's rules: parts of at most 96
// letters, digits, "-", "_" and ".", without "--" or "..", not ending in ".git".
func checkRepo(repo string) error {
	parts := strings.Split(repo, "/")
	ok := len(parts) <= 2 && !strings.Contains(repo, "--") && !strings.Contains(repo, "..") && !strings.HasSuffix(repo, ".git")
	for _, p := range parts {
		ok = ok && repoPart.MatchString(p)
	}
	if !ok {
		return &NameError{What: "repository", Name: repo, Want: "ORG/NAME of letters, digits, '-', '_' and '.'"}
	}
	return nil
}

// checkPath accepts a slash-separated path that stays below its folder on every
// system, and nothing that only looks like one.
func checkPath(what, p string) error {
	bad := p == "" || len(p) > 512 || strings.ContainsAny(p, "\\:*?\"<>|") || !filepath.IsLocal(filepath.FromSlash(p))
	for _, part := range strings.Split(p, "/") {
		bad = bad || part == "" || part == "." || part == ".." || strings.HasSuffix(part, " ") || strings.HasSuffix(part, ".")
	}
	for i := range len(p) {
		bad = bad || p[i] < ' ' || p[i] == 0x7f
	}
	if bad {
		return &NameError{What: what, Name: p, Want: "a relative path without '..', '\\', ':' or control characters"}
	}
	return nil
}

// check validates all three names; an empty revision becomes main.
func (id fileID) check() (fileID, error) {
	if id.revision == "" {
		id.revision = defaultRevision
	}
	if err := checkRepo(id.repo); err != nil {
		return id, err
	}
	if err := checkPath("revision", id.revision); err != nil {
		return id, err
	}
	return id, checkPath("file", id.file)
}

// source is what a model's name stands for.
type source struct {
	repo, revision string
	arch           string // built-in architecture, "" if the repository's config says it
	family         bool   // of mobileclip2_coca
}

const hubPrefix = "hf-hub:"

// parseName reads the names that [Client.Pull] documents.
func parseName(name string) (source, error) {
	rest, prefixed := strings.CutPrefix(name, hubPrefix)
	repo, revision, pinned := strings.Cut(rest, "@")
	if pinned {
		if err := checkPath("revision", revision); err != nil {
			return source{}, err
		}
	} else {
		revision = defaultRevision
	}
	if !prefixed && !strings.Contains(repo, "/") {
		s, err := builtin(name, repo)
		s.revision = revision
		return s, err
	}
	if err := checkRepo(repo); err != nil {
		return source{}, err
	}
	s := source{repo: repo, revision: revision}
	if short, ok := strings.CutPrefix(repo, mobileOrg+"/"); ok && isMobile(short) {
		s.family, s.arch = true, mobileArch(short)
	}
	// LAION's pretrained repositories have no config, and those of the fine-tuned
	// ones have the very size of OpenCLIP's bare architecture files, which lack
	// the level model_cfg that its hub loader wants. The architecture is known.
	for _, p := range pretrained {
		if p.Repo == repo {
			s.arch = p.Arch
		}
	}
	return s, nil
}

// builtin resolves a name without a slash: ARCH:TAG or a mobileclip2_coca name.
func builtin(name, short string) (source, error) {
	if arch, tag, ok := strings.Cut(short, ":"); ok {
		for _, p := range pretrained {
			if clean(p.Arch) == clean(arch) && p.Tag == clean(tag) {
				return source{repo: p.Repo, arch: p.Arch}, nil
			}
		}
		return source{}, unknownName(name)
	}
	if isMobile(short) {
		if known, ok := knownMobile(short); ok {
			short = known
		}
		repo := mobileOrg + "/" + short
		if err := checkRepo(repo); err != nil {
			return source{}, err
		}
		return source{repo: repo, arch: mobileArch(short), family: true}, nil
	}
	if known, ok := knownMobile(short); ok { // written with "-" for "_"
		return source{repo: mobileOrg + "/" + known, arch: mobileArch(known), family: true}, nil
	}
	return source{}, unknownName(name)
}

func unknownName(name string) error {
	return &NameError{What: "model", Name: name,
		Want: "hf-hub:ORG/REPO, ORG/REPO, or one of " + strings.Join(Names(), ", ")}
}
