package check

// LimitClaims returns cfg with a bound of n for the claims on shared blocks that are kept.
func LimitClaims(cfg Config, n int) Config {
	cfg.maxClaims = n
	return cfg
}
