package hubtest_test

import (
	"fmt"
	"net/http"

	"github.com/seed-e0874532/coca/weights/hub/hubtest"
)

func ExampleHub() {
	h := hubtest.New()
	defer h.Close()
	h.Add("org/model", "main", map[string][]byte{"config.json": []byte("{}")})
	h.Fault = func(w http.ResponseWriter, r *http.Request) bool {
		if len(h.Requests()) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	}
	for range 2 {
		resp, err := http.Get(h.URL + "/org/model/resolve/main/config.json")
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Printf("%d %q\n", resp.StatusCode, resp.Header.Get("ETag"))
	}
	// Output:
	// 503 ""
	// 200 "\"9e26dfeeb6e641a33dae4961196235bdb965b21b\""
}
