// Package node is one member of a swarm, assembled: a libp2p host, its membership, the DHT, the fragments that it keeps,
// and the gateway through which programs of the same machine use the swarm.
//
// Open puts the parts together, and Run serves until its context ends: then the node takes no more requests, answers
// those that it has, says goodbye to the others and closes its files. A node that was killed has every fragment that it
// acknowledged, and is back in a second.
//
// A program that stores or reads blocks asks the node of its machine, through a socket in the node's folder (DialLocal).
// Where none runs, it joins by itself for as long as it runs (Dial): with a key of its own that the folder's key
// certifies for a day, holding nothing, and not in anybody's roster.
//
// An owner whose machine is lost has no folder: Rescue gets from a member what such a client needs, for the owner's key.
//
// FORMAT.md describes the folder and the socket.
package node
