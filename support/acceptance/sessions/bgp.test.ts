import { playSessions } from './play.ts';

// The BGP control plane: what a policy does to the sessions and routes, and what the commands on both ends say.
playSessions('bgp', 95);
