package scram

import (
	"bytes"
	"strings"
	"testing"
)

// What PostgreSQL 15 stored for: create role … password 'pencil+=/~'.
const real = "SCRAM-SHA-256$4096:0w0lNREzoyTfdbyx2/BfTA==$5edw3Seo2oKHH51/7bBhTO5re1PzGzhV8f1/PV2ORoE=:VsnWJV358K7NsklzYE8lTkI7f3VMhV6RQ772CCoChPQ="

func TestVerify(t *testing.T) {
	for _, c := range []struct {
		name, verifier, password string
		is, ok                   bool
	}{
		{"PostgreSQL's own", real, "pencil+=/~", true, true},
		{"another password", real, "pencil", true, false},
		{"no password", real, "", true, false},
		{"stored key of another", strings.Replace(real, "5edw", "6edw", 1), "pencil+=/~", true, false},
		{"server key of another", strings.Replace(real, "VsnW", "WsnW", 1), "pencil+=/~", true, false},
		{"md5", "md55f4dcc3b5aa765d61d8327deb882cf99", "password", false, false},
		{"in clear", "pencil+=/~", "pencil+=/~", false, false},
		{"none", "", "", false, false},
		{"cut short", real[:len(real)-2], "pencil+=/~", false, false},
		{"no rounds", strings.Replace(real, "4096", "0", 1), "pencil+=/~", false, false},
		{"rounds without end", strings.Replace(real, "4096", "4294967296", 1), "pencil+=/~", false, false},
		{"salt not base64", strings.Replace(real, "0w0l", "####", 1), "pencil+=/~", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Is(c.verifier); got != c.is {
				t.Errorf("Is = %t; want %t", got, c.is)
			}
			if got := Verify(c.verifier, c.password); got != c.ok {
				t.Errorf("Verify = %t; want %t", got, c.ok)
			}
		})
	}
}

func TestNew(t *testing.T) {
	v, err := New("s3cret", bytes.Repeat([]byte{7}, SaltSize), Iterations)
	if err != nil {
		t.Fatal(err)
	}
	if !Verify(v, "s3cret") || Verify(v, "s3cre") || strings.Contains(v, "s3cret") {
		t.Errorf("verifier %s does not tell its password from others", v)
	}
	other, err := New("s3cret", bytes.Repeat([]byte{8}, SaltSize), Iterations)
	if err != nil || other == v {
		t.Errorf("another salt gives %s, %v", other, err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(real, "pencil+=/~")
	f.Add("SCRAM-SHA-256$1:$:", "")
	f.Fuzz(func(t *testing.T, verifier, password string) {
		if v, ok := parse(verifier); ok && v.iterations > 1<<13 {
			t.Skip()
		}
		if Verify(verifier, password) && !Is(verifier) {
			t.Errorf("%q verifies and is no verifier", verifier)
		}
	})
}
