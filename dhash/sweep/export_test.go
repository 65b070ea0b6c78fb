package sweep

import "ventidhash/dhash"

// UrgentLine is what the sweep takes for repair's.
func UrgentLine(c dhash.Code) int { return urgentLine(c) }
