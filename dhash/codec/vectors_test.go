package codec_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/venti"
)

// lines returns the lines of a file of testdata, which testdata/vectors.py made.
func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for s := bufio.NewScanner(strings.NewReader(string(text))); s.Scan(); {
		if !strings.HasPrefix(s.Text(), "#") {
			all = append(all, s.Text())
		}
	}
	return all
}

// The fragments of known blocks, byte for byte.
func TestCodings(t *testing.T) {
	var e codec.Encoder
	var c dhash.Code
	var out *codec.Encoded
	var length, index, codings int
	for _, line := range lines(t, "codings.txt") {
		key, value, _ := strings.Cut(line, ": ")
		var err error
		switch key {
		case "code":
			c, err = dhash.ParseCode(value)
		case "length":
			_, err = fmt.Sscan(value, &length)
		case "coding":
			var block []byte
			for i := 0; len(block) < length; i++ {
				sum := sha256.Sum256(fmt.Append(nil, i))
				block = append(block, sum[:]...)
			}
			out, index, codings = encode(t, &e, block[:length], c), 0, codings+1
			if got := fmt.Sprintf("%x", out.Coding); got != value {
				t.Errorf("%v, %d bytes: coding %s, want %s", c, length, got, value)
			}
		case "fragment":
			f := out.Fragment(index)
			if got := fmt.Sprintf("%x", dhash.HashPayload(f.Append(nil))); got != value {
				t.Errorf("%v, %d bytes: fragment %d hashes to %s, want %s", c, length, index, got, value)
			}
			index++
		case "":
			if index != c.Total {
				t.Errorf("%v, %d bytes: %d fragments in the file", c, length, index)
			}
		}
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if codings < 20 {
		t.Errorf("only %d codings", codings)
	}
}

// The code for 1 to 40 members, against exact sums.
func TestPolicyTable(t *testing.T) {
	rows := lines(t, "policy.txt")
	if len(rows) != 4*40 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		var p, u float64
		var members int
		var code string
		var ok bool
		if _, err := fmt.Sscan(row, &p, &members, &code, &ok, &u); err != nil {
			t.Fatalf("%q: %v", row, err)
		}
		policy := codec.Policy{P: p}
		if got := policy.Code(members, false); got.String() != code {
			t.Errorf("p %v, %d members: %v, want %s", p, members, got, code)
		}
		c := policy.Code(members, false)
		vital := dhash.Code{Need: max(1, c.Need/2), Total: c.Total}
		if got := policy.Code(members, true); got != vital {
			t.Errorf("p %v, %d members: vital %v, want %v", p, members, got, vital)
		}
		r := policy.Reach(members)
		if r.OK != ok || r.Code != c || math.Abs(r.Threshold-codec.Nines(u)) > 1e-11 || r.Fresh < r.Threshold {
			t.Errorf("p %v, %d members: %+v, want %v with %v nines", p, members, r, ok, codec.Nines(u))
		}
	}
}

// exact is the unavailability summed in fractions, from above, as one.
func exact(c dhash.Code, percent int64) *big.Rat {
	p := big.NewRat(percent, 100)
	q := new(big.Rat).Sub(big.NewRat(1, 1), p)
	u := big.NewRat(1, 1)
	for i := c.Need; i <= c.Total; i++ {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(c.Total), int64(i)))
		for j := range c.Total {
			if j < i {
				term.Mul(term, p)
			} else {
				term.Mul(term, q)
			}
		}
		u.Sub(u, term)
	}
	return u
}

func TestUnavailability(t *testing.T) {
	check := func(c dhash.Code, percent int64) {
		want, _ := exact(c, percent).Float64()
		got := codec.Unavailability(c, float64(percent)/100)
		if math.Abs(got-want) > 1e-13*want {
			t.Errorf("%v at %d %%: %v, want %v", c, percent, got, want)
		}
	}
	for total := 1; total <= 24; total++ {
		for need := 1; need <= total; need++ {
			for _, percent := range []int64{50, 80, 90, 95, 99} {
				check(dhash.Code{Need: need, Total: total}, percent)
			}
		}
	}
	for _, need := range []int{1, 2, 31, 32, 33, 63, 64} {
		check(dhash.Code{Need: need, Total: 64}, 1)
		check(dhash.Code{Need: need, Total: 64}, 90)
		check(dhash.Code{Need: need, Total: 64}, 99)
	}
	for c, want := range map[dhash.Code]float64{{Need: 5, Total: 4}: 1, {Need: 1}: 1} {
		if got := codec.Unavailability(c, 0.9); got != want {
			t.Errorf("%v: %v, want %v", c, got, want)
		}
	}
}

// Published and hand-checked values: DHash's 7 of 14 is no five nines, 1 of 5 is, exactly.
func TestKnownAvailabilities(t *testing.T) {
	for code, want := range map[string]float64{
		"1/3": 0.999, "3/10": 0.9999996264, "5/10": 0.9998530974, "7/14": 0.99998279026164, "8/12": 0.99567065673,
		"8/16": 0.9999940756769955, "8/20": 0.99999999607677459588, "10/20": 0.99999929113936682778,
		"20/32": 0.99999449313133368363,
	} {
		c, err := dhash.ParseCode(code)
		if err != nil {
			t.Fatal(err)
		}
		if got := codec.Availability(c, 0.9); math.Abs(got-want) > 1e-15 {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
	for code, want := range map[string]string{"7/14": "4.76", "8/16": "5.23", "1/5": "5.00", "8/20": "8.41"} {
		c, _ := dhash.ParseCode(code)
		if got := fmt.Sprintf("%.2f", codec.Nines(codec.Unavailability(c, 0.9))); got != want {
			t.Errorf("%s: %s nines, want %s", code, got, want)
		}
	}
	if n := codec.Nines(0); !math.IsInf(n, 1) {
		t.Errorf("Nines(0) = %v", n)
	}
	if n := codec.Nines(1); n != 0 {
		t.Errorf("Nines(1) = %v", n)
	}
}

// Reference: the smallest number of fragments left that has five nines at p = 0.9, for each Need.
func TestSmallestTotal(t *testing.T) {
	for need, want := range map[int]int{
		1: 5, 2: 7, 3: 9, 4: 10, 5: 12, 6: 13, 7: 15, 8: 16, 9: 18, 10: 19, 16: 27, 32: 47,
	} {
		total := need
		for codec.Unavailability(dhash.Code{Need: need, Total: total}, 0.9) > 1e-5*(1+1e-12) {
			total++
		}
		if total != want {
			t.Errorf("need %d: %d, want %d", need, total, want)
		}
	}
}

func TestPolicy(t *testing.T) {
	var zero codec.Policy
	if got := zero.Code(20, false); got != (dhash.Code{Need: 8, Total: 20}) {
		t.Errorf("default: %v", got)
	}
	if got := zero.Code(1000, true); got != (dhash.Code{Need: 4, Total: 20}) {
		t.Errorf("default, vital: %v", got)
	}
	for _, members := range []int{-1, 0, 1} {
		if got := zero.Code(members, true); got != (dhash.Code{Need: 1, Total: 1}) {
			t.Errorf("%d members: %v", members, got)
		}
	}
	fixed := codec.Policy{Fixed: dhash.Code{Need: 10, Total: 30}, MaxTotal: 20}
	for members, want := range map[int]string{30: "10/30", 99: "10/30", 15: "5/15", 4: "1/4", 1: "1/1"} {
		if got := fixed.Code(members, false); got.String() != want {
			t.Errorf("fixed, %d members: %v, want %s", members, got, want)
		}
	}
	if got := fixed.Code(30, true); got != (dhash.Code{Need: 5, Total: 30}) {
		t.Errorf("fixed, vital: %v", got)
	}
	if r := (codec.Policy{Fixed: dhash.Code{Need: 7, Total: 14}}).Reach(20); r.OK || r.Fresh < 4.76 || r.Fresh > 4.77 {
		t.Errorf("7/14 reaches %+v", r)
	}
}

func TestPolicyValidate(t *testing.T) {
	for name, p := range map[string]codec.Policy{
		"nines below 0": {Nines: -1}, "16 nines": {Nines: 16}, "nines NaN": {Nines: math.NaN()}, "p below 0": {P: -0.1},
		"p 1": {P: 1}, "p NaN": {P: math.NaN()}, "total 65": {MaxTotal: 65}, "total below 0": {MaxTotal: -1},
		"fixed 0/5": {Fixed: dhash.Code{Total: 5}}, "fixed 6/5": {Fixed: dhash.Code{Need: 6, Total: 5}},
	} {
		if p.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, p := range []codec.Policy{{}, {Nines: 3, P: 0.5, MaxTotal: 64}, {Fixed: dhash.Code{Need: 1, Total: 64}}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// A block that is not the one of the score is not accepted because nobody looked.
func TestScoreIsTheLastWord(t *testing.T) {
	var e codec.Encoder
	out := encode(t, &e, []byte("x"), dhash.Code{Need: 1, Total: 1})
	f := out.Fragment(0)
	f.Score = venti.Sum([]byte("y"))
	if _, err := e.Decode(out.Coding, []*dhash.Fragment{&f}); err == nil {
		t.Error("accepted")
	}
}
