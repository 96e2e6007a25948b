package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"watchdog/probes"
	"watchdog/rules"
)

// written is a recording as one reads it who has its JSON.
func written(t *testing.T, rec rules.Recording) rules.Recording {
	t.Helper()
	data, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	back, err := rules.ParseRecording(data)
	if err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	again, err := json.Marshal(back)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(data), string(again)); diff != "" {
		t.Errorf("read and written again (-was +is):\n%s", diff)
	}
	return back
}

// parts returns the moments at which the table decides otherwise than was.
func parts(t *testing.T, table []rules.Rule, rec rules.Recording) (different []string, moments int) {
	t.Helper()
	all := rules.Replay(table, written(t, rec))
	for _, m := range all {
		if m.Different {
			different = append(different, fmt.Sprintf("%s: was %v, is %v", m.At.Sub(rec.Started), m.Was, m.Is))
		}
	}
	return different, len(all)
}

// changed is the table with a change to the row of one code.
func changed(code probes.Code, change func(*rules.Rule)) []rules.Rule {
	out := slices.Clone(table)
	for i := range out {
		if out[i].Code == code {
			change(&out[i])
		}
	}
	return out
}

func TestARecordingReplaysToTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, k := "", newKeeper()
		r := startWith(t, table, &hold, func(o *Options) { o.Ledger = k })
		defer r.stop()
		time.Sleep(7 * time.Second)
		r.change(func() { r.heals["start"], r.heals["hard"] = []rules.Ref{dead}, []rules.Ref{issuer} })
		r.set(true, issuer, dead) // two faults: the cause goes first, then the other by its second rung
		time.Sleep(4 * time.Minute)
		if got := r.did(); !slices.Equal(got, []string{"start", "soft", "hard"}) {
			t.Fatalf("ran %v", got)
		}
		recs := k.recorded()
		if len(recs) != 1 || recs[0].Cut != "" {
			t.Fatalf("%d recordings", len(recs))
		}
		if different, n := parts(t, table, recs[0]); len(different) > 0 || n < 8 {
			t.Errorf("of %d moments these differ: %q", n, different)
		}
		for name, table := range map[string][]rules.Rule{
			"no edge":         changed("issuer.down", func(r *rules.Rule) { r.DependsOn = nil }),
			"another rung":    changed("issuer.down", func(r *rules.Rule) { r.Remedies = []string{"hard"} }),
			"more looks":      changed("service.dead", func(r *rules.Rule) { r.Confirm = 5 }),
			"only observed":   changed("service.dead", func(r *rules.Rule) { r.Mode = rules.Observe }),
			"a longer wait":   changed("service.dead", func(r *rules.Rule) { r.For = time.Minute }),
			"a smaller purse": changed("issuer.down", func(r *rules.Rule) { r.Budget = rules.Budget{Attempts: 1, Within: time.Hour} }),
		} {
			if different, _ := parts(t, table, recs[0]); len(different) == 0 {
				t.Errorf("with %s nothing differs", name)
			}
		}
		in, ok := k.incidents[slices.Sorted(maps.Keys(k.incidents))[0]]
		if !ok || in.Recording != recs[0].ID {
			t.Errorf("incident %s names recording %q, want %q", in.ID, in.Recording, recs[0].ID)
		}
	})
}

// Rules that wait for longer come to act at a time that was none of a decision
// then.
func TestReplayDecidesAtTimesOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, k := "", newKeeper()
		observed := changed("odd", func(r *rules.Rule) { r.Mode = rules.Observe })
		r := startWith(t, observed, &hold, func(o *Options) { o.Ledger = k })
		defer r.stop()
		r.set(true, rules.On("odd", ""))
		time.Sleep(5 * time.Minute)
		r.set(false, rules.On("odd", ""))
		time.Sleep(time.Minute)
		waits := changed("odd", func(r *rules.Rule) { r.For = 2 * time.Minute })
		rec := written(t, k.recorded()[0])
		i := slices.IndexFunc(rules.Replay(waits, rec), func(m rules.Replayed) bool {
			return len(m.Is) == 1 && m.Is[0].Kind == rules.Heal
		})
		if i < 0 {
			t.Fatal("rules that heal after two minutes would never have healed")
		}
		if at := rules.Replay(waits, rec)[i].At.Sub(rec.Started); at < 2*time.Minute || at > 3*time.Minute {
			t.Errorf("they would have healed after %s", at)
		}
	})
}

// TestWhateverHappensReplaysToTheSame lets faults come and go, heal and not, and
// people hold and approve, for hours.
func TestWhateverHappensReplaysToTheSame(t *testing.T) {
	wild := append(slices.Clone(table),
		rules.Rule{Code: "door", Door: true, Remedies: []string{"shut"}},
		rules.Rule{Code: "asks", Mode: rules.Ask, Remedies: []string{"asked"}},
		rules.Rule{Code: "slow", For: 40 * time.Second, Remedies: []string{"late"}, DependsOn: []rules.Ref{rules.On("door", "")}})
	refs := []rules.Ref{dead, issuer, rules.On("odd", ""), rules.On("door", ""), rules.On("asks", ""), rules.On("slow", "")}
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			hold, k := "", newKeeper()
			var mu sync.Mutex // guards what follows
			approved := map[rules.Ref]rules.Approval{}
			r := startWith(t, wild, &hold, func(o *Options) {
				o.Ledger = k
				before := o.Policy
				o.Policy = func() rules.Policy {
					p := before()
					p.Modes = map[probes.Code]rules.Mode{"odd": rules.Observe}
					mu.Lock()
					defer mu.Unlock()
					p.Approved = maps.Clone(approved)
					return p
				}
			})
			defer r.stop()
			for range 250 {
				r.change(func() {
					ref := refs[rnd.IntN(len(refs))]
					switch rnd.IntN(5) {
					case 0, 1:
						r.faults[ref] = !r.faults[ref]
					case 2:
						for _, id := range []string{"start", "hard", "shut", "late", "asked"} {
							r.heals[id] = refs[:rnd.IntN(len(refs)+1)]
						}
					case 3:
						hold = []string{"", "", "a person says so"}[rnd.IntN(3)]
					case 4:
						mu.Lock()
						defer mu.Unlock()
						approved[rules.On("asks", "")] = rules.Approval{Remedy: "asked", Plan: cureHash("asked"), At: time.Now()}
					}
				})
				time.Sleep(time.Duration(rnd.IntN(40_000)) * time.Millisecond)
			}
			r.change(func() {
				hold = ""
				clear(r.faults)
			})
			time.Sleep(2 * time.Minute)
			recs := k.recorded()
			if len(recs) == 0 || len(r.did()) == 0 {
				t.Fatalf("%d recordings, ran %v", len(recs), r.did())
			}
			for _, rec := range recs {
				if different, n := parts(t, wild, rec); len(different) > 0 {
					t.Errorf("seed %d, recording %s cut %q: %d of %d moments differ, the first %s", seed, rec.ID, rec.Cut, len(different), n, different[0])
				}
			}
			t.Logf("seed %d: %d recordings, %d remedies, %d incidents", seed, len(recs), len(r.did()), len(k.incidents))
		})
	}
}

// A fault that was looked at under a hold, and is told of just after it.
func TestARecordingThatBeginsAsAHoldEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, k := "held", newKeeper()
		door := changed("service.dead", func(r *rules.Rule) { r.Door = true })
		r := startWith(t, door, &hold, func(o *Options) { o.Ledger = k })
		defer r.stop()
		r.change(func() { r.heals["start"], r.late = []rules.Ref{dead}, 1500*time.Millisecond })
		time.Sleep(14 * time.Second)
		r.set(true, dead) // looked at from 15 s on
		time.Sleep(2 * time.Second)
		r.change(func() { hold = "" })
		time.Sleep(time.Minute)
		recs := k.recorded()
		if len(recs) != 1 || len(r.did()) != 1 {
			t.Fatalf("%d recordings, ran %v", len(recs), r.did())
		}
		if first := rules.Replay(door, recs[0])[0].Is[0]; first.Rail != "after hold" {
			t.Errorf("the first decision is %s (%s)", first, first.Reason)
		}
		if different, _ := parts(t, door, recs[0]); len(different) > 0 {
			t.Errorf("differs: %q", different)
		}
	})
}
