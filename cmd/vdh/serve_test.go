package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serveOn runs vdh serve, which has to end well when the test does, and returns its address.
func serveOn(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	said, out := io.Pipe()
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"serve", "--json", "-q"}, args...), strings.NewReader(""), out, &errs)
		out.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != exitOK {
			t.Errorf("vdh serve ends with %d\n%s", code, &errs)
		}
	})
	var line struct{ Type, URL string }
	if err := json.NewDecoder(said).Decode(&line); err != nil || line.Type != "serving" {
		cancel()
		<-done
		done <- exitOK
		t.Fatalf("%+v, %v\n%s", line, err, &errs)
	}
	return line.URL
}

// TestServe reads a file over HTTP from a store in a folder, while others back up and prune there.
func TestServe(t *testing.T) {
	m := newSwarmMachine(t)
	t.Setenv("VDH_STORE", filepath.Join(m.dir, "store"))
	src := filepath.Join(m.dir, "src")
	writeFile(t, filepath.Join(src, "f"), []byte("one"))
	first, _ := m.run(0, "backup", src)
	url := serveOn(t, "--listen", ":0")
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("serves at %s", url)
	}
	get := func(path string) (int, string) {
		t.Helper()
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if code, body := get("latest" + src + "/f"); code != http.StatusOK || body != "one" {
		t.Errorf("%d, %q", code, body)
	}
	writeFile(t, filepath.Join(src, "f"), []byte("three"))
	m.run(0, "backup", src)
	m.run(0, "forget", first)
	m.run(0, "prune")
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // the list is read again after a second
		if _, body := get("latest" + src + "/f"); body == "three" {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the new snapshot does not appear")
		}
	}
	if code, _ := get("ids/" + strings.TrimPrefix(first, "vac:") + "/"); code != http.StatusNotFound {
		t.Errorf("what was forgotten: %d", code)
	}
}

// TestServeRefuses holds that nothing is shown to others without a password.
func TestServeRefuses(t *testing.T) {
	m := newSwarmMachine(t)
	t.Setenv("VDH_STORE", filepath.Join(m.dir, "store"))
	src := filepath.Join(m.dir, "src")
	writeFile(t, filepath.Join(src, "f"), []byte("one"))
	m.run(0, "backup", src)
	if _, errs := m.run(exitUsage, "serve", "--listen", "0.0.0.0:0"); !strings.Contains(errs, "--password-file") {
		t.Error(errs)
	}
	login := filepath.Join(m.dir, "login")
	if _, errs := m.run(exitUsage, "serve", "--password-file", login); !strings.Contains(errs, "no such file") {
		t.Error(errs)
	}
	if err := os.WriteFile(login, []byte("anna:correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs := m.run(exitUsage, "serve", "latest"+src); !strings.Contains(errs, "a whole snapshot") {
		t.Error(errs)
	}
	m.run(exitNoSnapshot, "serve", "01234567")
	m.run(exitUsage, "serve", "--listen", "80")
	url := serveOn(t, "latest", "--listen", "127.0.0.1:0", "--password-file", login)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+strings.TrimPrefix(src, "/")+"/f", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{"", "correct horse"} {
		req.SetBasicAuth("anna", password)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if (res.StatusCode == http.StatusOK) != (password != "") {
			t.Errorf("with password %q: %s", password, res.Status)
		}
	}
}
