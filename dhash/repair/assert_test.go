package repair_test

import (
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/repair"
)

// What is real fits.
var _ repair.Store = (*fragstore.Store)(nil)
