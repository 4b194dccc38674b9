import { playSessions } from './play.ts';

// What each release of Cilium serves, warns of, and no longer has.
playSessions('versions', 15);
