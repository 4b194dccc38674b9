import { playSessions } from './play.ts';

playSessions('faults', 28);
