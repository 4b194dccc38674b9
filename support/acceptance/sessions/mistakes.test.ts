import { playSessions } from './play.ts';

// What learners get wrong most, on the reference lab, and the first thing that they see of it.
playSessions('mistakes', 60);
