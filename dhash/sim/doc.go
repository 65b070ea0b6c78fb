// Package sim is a swarm in one process.
package sim
