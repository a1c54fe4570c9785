package hub

import (
	"slices"
	"strings"
)

// A Tag is a set of published weights of a built-in architecture.
type Tag struct {
	Arch string // as in OpenCLIP: coca_ViT-L-14
	Tag  string // cleaned: lower case, "_" for "-"
	Repo string // ORG/NAME on the hub
}

// Name returns ARCH:TAG, which [Client.Pull] takes.
func (t Tag) Name() string { return t.Arch + ":" + t.Tag }

// pretrained is every CoCa entry of the table in open_clip 3.3.0, pretrained.py;
// coca_base and coca_roberta-ViT-B-32 have none.
var pretrained = []Tag{
	{"coca_ViT-B-32", "laion2b_s13b_b90k", "laion/CoCa-ViT-B-32-laion2B-s13B-b90k"},
	{"coca_ViT-B-32", "mscoco_finetuned_laion2b_s13b_b90k", "laion/mscoco_finetuned_CoCa-ViT-B-32-laion2B-s13B-b90k"},
	{"coca_ViT-L-14", "laion2b_s13b_b90k", "laion/CoCa-ViT-L-14-laion2B-s13B-b90k"},
	{"coca_ViT-L-14", "mscoco_finetuned_laion2b_s13b_b90k", "laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k"},
}

// clean is OpenCLIP's rule for comparing tags: lower case, "_" for "-".
func clean(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }

// Pretrained returns the repository of a tag of a built-in architecture. Both
// names are compared in lower case and with "-" for "_".
func Pretrained(arch, tag string) (repo string, ok bool) {
	for _, p := range pretrained {
		if clean(p.Arch) == clean(arch) && p.Tag == clean(tag) {
			return p.Repo, true
		}
	}
	return "", false
}

// Tags returns all tags of the built-in architectures, for help texts.
func Tags() []Tag { return slices.Clone(pretrained) }

// Names returns every name without a slash that is known to [Client.Pull], for
// help texts: the tags as ARCH:TAG, then the mobileclip2_coca family.
func Names() []string {
	var names []string
	for _, t := range pretrained {
		names = append(names, t.Name())
	}
	for _, m := range mobile {
		names = append(names, mobilePrefix+m)
	}
	return names
}

// The mobileclip2_coca family: CoCa ViT-L-14 captioners by Apple, for research
// only. OpenCLIP has no tags for them. The 21 names are those that the section
// "CoCa Models" of the README of github.com/apple/ml-mobileclip downloads; it
// also says that the contexts 128 and 256 bring their architecture in a file
// config.json, and that context 77 is coca_ViT-L-14.
const (
	mobileOrg    = "apple"
	mobilePrefix = "mobileclip2_coca_dfn2b_s13b_"
)

var mobile = []string{
	"context77",
	"dci-complete_s12m_context77", "dci-complete_s12m_context128", "dci-complete_s12m_context256",
	"dci-extended_s12m_context77", "dci-extended_s12m_context128", "dci-extended_s12m_context256",
	"dci-short_s12m_context77", "dci-short_s12m_context128", "dci-short_s12m_context256",
	"docci_s12m_context77", "docci_s12m_context128", "docci_s12m_context256",
	"gbc10m-long_context256", "gbc10m-short-relation_context256",
	"gbc1m-long_context256", "gbc1m-short_context77",
	"mscoco38k_s12m_context77",
	"recap-coco-30k_s12m_context77", "recap-coco-30k_s12m_context128", "recap-coco-30k_s12m_context256",
}

// isMobile reports whether a repository name belongs to the family, known or not.
func isMobile(short string) bool { return strings.HasPrefix(short, "mobileclip2_coca_") }

// knownMobile returns the exact spelling of a known name of the family.
func knownMobile(short string) (string, bool) {
	for _, m := range mobile {
		if clean(mobilePrefix+m) == clean(short) {
			return mobilePrefix + m, true
		}
	}
	return "", false
}

// mobileArch is the built-in architecture of a repository of the family.
func mobileArch(short string) string {
	if strings.HasSuffix(short, "_context77") {
		return "coca_ViT-L-14"
	}
	return ""
}

// A pin is the content that a file of a known commit is known to have.
type pin struct {
	repo, file, commit string
	sha256             string
	size               int64 // bytes, 0 if not known
}

const binWeights = "open_clip_pytorch_model.bin"

// pins were collected from public files that record these checkpoints, not from
// the hub itself: the checksums of the two L-14 weights are those of the
// specification and are found as names of blobs in listings of hub caches; that
// of the pretrained B-32 weights, the commits of both pretrained ones and the
// sizes are those that public re-identification projects check on download. The
// commits of the fine-tuned L-14 are its history up to June 2023, in which the
// weights were written once. The fine-tuned B-32 has no known checksum.
var pins = []pin{
	{"laion/CoCa-ViT-B-32-laion2B-s13B-b90k", binWeights, "47aff38863cd40aa76d915bb04e4a3d8edf5824c",
		"df49af430529127b5f019825ddab06867429a63cec4006e34c3cb0bc4c8b4a04", 1014488932},
	{"laion/CoCa-ViT-L-14-laion2B-s13B-b90k", binWeights, "74207cb7fde8eafc9864451ebd332fa8e75b150f",
		"73725652298ad76ed2162caffdae96d8653a05d7a29b6281103e4df81d0ff8ea", 2554109637},
	{"laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k", binWeights, "21b808fc81719ba685b78537ca12ac01087f7738",
		"f22c34acef2b7a5d1ed28982a21077de651363eaaebcf34a3f10676e17837cb8", 0},
	{"laion/mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k", binWeights, "11cc43ad7aec894c6b08d0e2d3d139af2e44ec89",
		"f22c34acef2b7a5d1ed28982a21077de651363eaaebcf34a3f10676e17837cb8", 0},
}

// pin returns what is known of a file of a commit, or nil.
func (c *Client) pin(repo, file, commit string) *pin {
	for i := range c.pins {
		if p := &c.pins[i]; p.repo == repo && p.file == file && p.commit == commit {
			return p
		}
	}
	return nil
}
