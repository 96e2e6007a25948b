package rules

import (
	"slices"
	"time"

	"watchdog/remedies"
)

// Budgets that several rules share: one service's restarts, whatever they are
// for, and all that is done to a host.
var (
	perService = Budget{Attempts: 10, Within: 30 * time.Minute}
	perHost    = Budget{Attempts: 40, Within: 30 * time.Minute}
)

func ownBudget(q question) objection {
	budget := q.d.Rule.Bounds()
	if len(q.tried) < budget.Attempts {
		return objection{}
	}
	until := q.tried[len(q.tried)-budget.Attempts].At.Add(budget.Within)
	return object(GaveUp, until, "%d attempts within %s did not last; a person has to look", len(q.tried), budget.Within)
}

func serviceBudget(q question) objection {
	if q.cure.Risk < remedies.Blip {
		return objection{}
	}
	for _, s := range q.cure.Services {
		if spent := q.m.onService(q.now, q.book, q.p, s); len(spent) >= perService.Attempts {
			return object(GaveUp, perService.free(spent), "%s was worked on %d times within %s; a person has to look", s, perService.Attempts, perService.Within)
		}
	}
	return objection{}
}

func hostBudget(q question) objection {
	spent := q.m.onHost(q.now, q.p)
	if len(spent) < perHost.Attempts {
		return objection{}
	}
	return object(GaveUp, perHost.free(spent), "%d attempts on this host within %s; a person has to look", perHost.Attempts, perHost.Within)
}

// free is when a spent budget has room for one more.
func (b Budget) free(newestFirst []Attempt) time.Time {
	return newestFirst[b.Attempts-1].At.Add(b.Within)
}

// onService lists the attempts that disturbed a service within its budget's
// time, newest first.
func (m *Memory) onService(now time.Time, b *Book, p Policy, service string) []Attempt {
	return m.spent(now, p, perService, func(a Attempt) bool {
		cure := b.Cures[a.Remedy]
		return cure.Risk >= remedies.Blip && slices.Contains(cure.Services, service)
	})
}

func (m *Memory) onHost(now time.Time, p Policy) []Attempt {
	return m.spent(now, p, perHost, func(Attempt) bool { return true })
}

// spent lists the attempts that count in a shared budget, newest first.
func (m *Memory) spent(now time.Time, p Policy, b Budget, counts func(Attempt) bool) []Attempt {
	var out []Attempt
	for _, a := range slices.Backward(m.Attempts) {
		if !a.Outcome.idle() && a.Outcome != Unneeded && a.counts(now, b.Within, p.Resumed) && counts(a) {
			out = append(out, a)
		}
	}
	return out
}

// A Spending is how much of a budget is used.
type Spending struct {
	What string // a service, or "host"; empty for a fault's own
	Used int
	Budget
}

// Spent is how much is used of the budget of the fault of d.
func (c *Core) Spent(now time.Time, d Diagnosis) Spending {
	return Spending{Used: len(made(now, d, c.Memory.Attempts, c.policy.Resumed)), Budget: d.Rule.Bounds()}
}

// Shared lists the budgets of services and of the host that are used in part or
// whole, the host's last.
func (c *Core) Shared(now time.Time) []Spending {
	var services []string
	for _, a := range c.Memory.Attempts {
		services = append(services, c.Book.Cures[a.Remedy].Services...)
	}
	slices.Sort(services)
	var out []Spending
	for _, s := range slices.Compact(services) {
		if n := len(c.Memory.onService(now, &c.Book, c.policy, s)); n > 0 {
			out = append(out, Spending{s, n, perService})
		}
	}
	if n := len(c.Memory.onHost(now, c.policy)); n > 0 {
		out = append(out, Spending{"host", n, perHost})
	}
	return out
}
