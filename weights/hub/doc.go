// Package hub downloads model files from the Hugging Face hub, or from a mirror
// that speaks its protocol, into the cache folder that the hub's own libraries
// use.
//
// # Cache layout
//
// Everything lies below one folder (HF_HUB_CACHE):
//
//	models--ORG--NAME/
//	    blobs/ETAG                     the contents, named by their checksum
//	    blobs/ETAG.incomplete          a download that was cut short
//	    refs/REVISION                  text: the commit that a branch or tag was last seen at
//	    snapshots/COMMIT/FILE          relative symbolic link to ../../blobs/ETAG
//	    .no_exist/COMMIT/FILE          empty: the hub said that this commit lacks FILE
//	.locks/models--ORG--NAME/ETAG.lock an advisory lock, held while the blob is written
//
// An ETAG of 64 hexadecimal digits is the SHA-256 of the file (large files), one
// of 40 digits is its git blob SHA-1 (small files). Both are checked before a
// file gets its final name, so a blob is always whole. The layout, the names of
// partial files and the locks are those of the Python package huggingface_hub
// 0.36, so that both can share one cache, even at the same time.
//
// # Trust
//
// A server, a mirror and a cache folder are all hostile until checked. Names
// that would leave the cache are refused, and so are links inside it that point
// outside. The access token is sent to the endpoint's own origin and to no other
// host. Every answer that is held in memory has a limit.
package hub
