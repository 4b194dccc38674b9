import { playSessions } from './play.ts';

playSessions('faults', 35);
