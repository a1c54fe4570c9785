package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

const maxListing = 8 << 20 // bytes of JSON that a list of files may have

// List asks the hub which files a revision has, "" meaning main, and which
// commit that is: GET {endpoint}/api/models/{repo}/revision/{revision}. The names are
// the server's own and may be anything.
func (c *Client) List(ctx context.Context, repo, revision string) (files []string, commit string, err error) {
	id, err := fileID{repo, revision, "x"}.check()
	if err != nil {
		return nil, "", err
	}
	id.file = ""
	if c.cfg.Offline {
		return nil, "", id.error(ErrNotCached, "offline mode makes no connection", nil)
	}
	return c.list(ctx, id)
}

func (c *Client) list(ctx context.Context, id fileID) (files []string, commit string, err error) {
	err = c.retry(ctx, func(ctx context.Context) error {
		files, commit, err = c.listOnce(ctx, id)
		return err
	})
	return files, commit, c.name(ctx, id, err)
}

func (c *Client) listOnce(ctx context.Context, id fileID) ([]string, string, error) {
	ctx, dog := newWatchdog(ctx, c.cfg.MetadataTimeout)
	defer dog.stop()
	u := c.join("api/models/" + id.repo + "/revision/" + url.PathEscape(id.revision))
	resp, err := c.send(ctx, http.MethodGet, u, nil, nil)
	if err != nil {
		return nil, "", dog.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "", c.refusal(id, resp)
	}
	body, err := io.ReadAll(io.LimitReader(&watched{resp.Body, dog, c.cfg.DownloadTimeout}, maxListing+1))
	if err != nil {
		return nil, "", dog.explain(&temporary{err: bare(err)})
	}
	if len(body) > maxListing {
		return nil, "", id.error(ErrTooLarge, fmt.Sprintf("want a list of files of at most %d bytes, found more", maxListing), nil)
	}
	var info struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return nil, "", id.error(ErrProtocol, "want a list of files in JSON", err)
	}
	if !commitHash.MatchString(info.SHA) {
		return nil, "", id.error(ErrProtocol, fmt.Sprintf("want a commit in the list of files, found %q", shorten(info.SHA, 60)), nil)
	}
	if commitHash.MatchString(id.revision) && info.SHA != id.revision {
		return nil, "", id.error(ErrProtocol, "want the commit that was asked for, found "+info.SHA, nil)
	}
	files := make([]string, len(info.Siblings))
	for i, s := range info.Siblings {
		files[i] = s.Name
	}
	return files, info.SHA, nil
}
