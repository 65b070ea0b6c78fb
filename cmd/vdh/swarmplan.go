package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/node"
	"ventidhash/dhash/plan"
)

// What a plan assumes where no swarm and no flag says otherwise.
const (
	planMembers      = 20
	planNines        = 5
	planAvailability = 0.9
	planBlock        = 1 << 20 // average length of a block in bytes
)

// planFlags say what to plan for. Those that are text have defaults which depend on the swarm, or units.
type planFlags struct {
	members, availability, nines      string
	lifetime, repair, bandwidth, data string
	blocks                            string
	rho                               float64
	codes                             []string
}

func newPlan(a *app) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "compute how safe blocks would be under different codes, and what repair would cost",
		Long: `Computes what a swarm's blocks would be worth if each were cut into TOTAL fragments on different
members, any NEED of which bring it back, for the code NEED/TOTAL that it would choose, well-known
ones, and those of --code. Nothing is changed, and what is printed is arithmetic, not observation.

A member that is away comes back; --availability is how often it is there. A member that is gone for
good takes its fragments along; --lifetime is how soon that happens, and --repair how soon others
have made them again, hardly less than 24h, since members wait a day before they count one as gone.
Members that share a power line or an operator fail together: --rho is how much, 0 not at all.
Times are like 90m, 24h, 7d, 2w or 1y, and bytes like 10M, 1T or 2TiB.

Members, availability, target and code are those of the swarm that this machine is in, if it is in
one; that no member can be reached is said, and not an error.

The exit code is 0 also where the target is out of reach, and 2 where a flag cannot be.

With --json, one line of "type":"plan" with what was assumed (swarm, members, sites, availability,
rho, target_nines, lifetime_hours, repair_hours, bandwidth, data, blocks), chosen, policy (the code
that members use), vital_code, target_reached, members_needed, why and warnings; then one line of
"type":"code" each with code, notes, fits, on_target, overhead, threshold, fresh_nines,
threshold_nines, mean_nines, retry_blocks, all_readable, lost_blocks_per_year, mttdl_years (by the
models M1, M1s, M2), held_bytes, repair_bytes_per_day and eager_read_per_second, all of a member.`,
		Example: `  vdh swarm plan
  vdh swarm plan --members 30 --data 20T --code 6/15
  vdh swarm plan --availability 0.8 --nines 4 --lifetime 180d --repair 3d
  vdh swarm plan --rho 0.02 --json | jq -r 'select(.on_target).code'`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.plan(cmd.Context(), &f) },
	}
	l := cmd.Flags()
	l.StringVar(&f.members, "members", "", "`number` of members (default the swarm's, or 20)")
	l.StringVar(&f.availability, "availability", "", "how `likely` a member answers, 0 to 1 (default the swarm's, or 0.9)")
	l.StringVar(&f.nines, "nines", "", "`target`: how available a block is to be, in nines (default the swarm's, or 5)")
	l.StringVar(&f.lifetime, "lifetime", "1y", "mean `time` until a member is gone for good")
	l.StringVar(&f.repair, "repair", "24h", "mean `time` from when a repair is due to when it is done")
	l.StringVar(&f.bandwidth, "bandwidth", "10M", "`bytes` a second that a member may spend on repair")
	l.StringVar(&f.data, "data", "1T", "`bytes` that the swarm keeps, each counted once")
	l.StringVar(&f.blocks, "blocks", "", "`number` of blocks that these are (default one for each MiB)")
	l.Float64Var(&f.rho, "rho", 0, "how much members fail together, 0 to 0.9 (0 is independently)")
	l.StringArrayVar(&f.codes, "code", nil, "assess this `NEED/TOTAL` too; may be given more than once")
	return cmd
}

// A planned swarm is what a plan is made for.
type planned struct {
	plan.Swarm
	name  string     // of the swarm, if there is one
	fixed dhash.Code // that it uses whatever the target says; zero for none
	sites int        // that its members are at; 0 if that is not known
}

func (a *app) plan(ctx context.Context, f *planFlags) error {
	asked, err := parseCodes(f.codes)
	if err != nil {
		return usage{err}
	}
	s := planned{Swarm: plan.Swarm{Members: planMembers, P: planAvailability, Nines: planNines, Rho: f.rho}}
	if err := f.amounts(&s.Swarm); err != nil { // before anybody is asked for the rest
		return usage{err}
	}
	if err := a.planFor(ctx, &s, f.members == ""); err != nil {
		return err
	}
	if err := f.override(&s.Swarm); err != nil {
		return usage{err}
	}
	if err := s.Validate(); err != nil {
		return usage{fmt.Errorf("--%w", err)}
	}
	return a.printPlan(&s, candidates(&s, asked))
}

// amounts reads the flags that have units.
func (f *planFlags) amounts(s *plan.Swarm) (err error) {
	if s.Lifetime, err = parseSpan(f.lifetime); err != nil {
		return fmt.Errorf("--lifetime %w", err)
	}
	if s.Repair, err = parseSpan(f.repair); err != nil {
		return fmt.Errorf("--repair %w", err)
	}
	if s.Bandwidth, err = parseAmount(f.bandwidth); err != nil {
		return fmt.Errorf("--bandwidth %w", err)
	}
	if s.Data, err = parseAmount(f.data); err != nil {
		return fmt.Errorf("--data %w", err)
	}
	s.Blocks = math.Ceil(s.Data / planBlock)
	return parseNumber("blocks", f.blocks, &s.Blocks)
}

// override reads the flags whose defaults are the swarm's.
func (f *planFlags) override(s *plan.Swarm) error {
	if f.members != "" {
		n, err := strconv.Atoi(f.members)
		if err != nil {
			return fmt.Errorf("--members %q: want a whole number, 1 to %d", f.members, plan.MaxMembers)
		}
		s.Members = n
	}
	return errors.Join(parseNumber("availability", f.availability, &s.P), parseNumber("nines", f.nines, &s.Nines))
}

// parseNumber reads the value of a flag, unless it was not given.
func parseNumber(flag, text string, to *float64) error {
	if text == "" {
		return nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("--%s %q: want a number", flag, text)
	}
	*to = x
	return nil
}

// parseCodes reads the codes that the user asks about.
func parseCodes(texts []string) (out []dhash.Code, err error) {
	for _, text := range texts {
		c, err := dhash.ParseCode(text)
		if err != nil {
			return nil, fmt.Errorf("--code %q: %w", text, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// planFor fills in what the swarm of this machine says, if there is one; how many members it has only if that is asked.
func (a *app) planFor(ctx context.Context, s *planned, ask bool) error {
	f, err := a.member()
	if errors.Is(err, node.ErrNoSwarm) {
		return nil
	}
	if err != nil {
		return err
	}
	s.name = "this machine's"
	if m := f.Manifest; m != nil {
		s.name, s.Nines, s.P, s.fixed = cmp.Or(m.Name, s.name), m.Nines(), m.P(), m.Code
	}
	if !ask {
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	list, err := a.roster(patience, f)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		a.note("vdh: how many members the swarm has is not known, so %d are assumed (--members): %v", s.Members, err)
		return nil
	}
	s.Members, s.sites = counted(list)
	return nil
}

// counted returns how many members may be counted on, at least one, and at how many sites they are.
func counted(list []node.MemberInfo) (members, sites int) {
	at := map[string]bool{}
	for _, m := range list {
		if slices.Contains([]string{"dead", "banned", "retiring"}, m.State) {
			continue
		}
		members++
		site, _, _ := strings.Cut(m.Domain, "/")
		if site == "" {
			site = "/" + m.ID // a domain of its own
		}
		at[site] = true
	}
	return max(1, members), len(at)
}

// A candidate is a code, and why it is in the table.
type candidate struct {
	plan.Figures
	notes []string
}

// candidates assesses the codes of a plan: the chosen one first, each once.
func candidates(s *planned, asked []dhash.Code) (list []candidate) {
	add := func(c dhash.Code, note string) {
		i := slices.IndexFunc(list, func(o candidate) bool { return o.Code == c })
		if i < 0 {
			list, i = append(list, candidate{Figures: s.Assess(c)}), len(list)
		}
		if note != "" {
			list[i].notes = append(list[i].notes, note)
		}
	}
	add(s.Choose(), "chosen")
	if s.name != "" || s.Rho > 0 {
		add(s.policy(), "what members use")
	}
	add(dhash.Code{Need: 7, Total: 14}, "DHash")
	add(dhash.Code{Need: 5, Total: 10}, "Magnus")
	for _, n := range []int{16, 20, 30} {
		add(dhash.Code{Need: min(n/2, 10), Total: n}, "")
	}
	for _, c := range asked {
		add(c, "")
	}
	for i, c := range list {
		if !c.Fits {
			list[i].notes = append(c.notes, fmt.Sprintf("needs %d members", c.Code.Total))
		}
	}
	return list
}

// policy returns the code that the members of the swarm use. They do not know of rho.
func (s *planned) policy() dhash.Code {
	return codec.Policy{Nines: s.Nines, P: s.P, Fixed: s.fixed}.Code(s.Members, false)
}
