import { playSessions } from './play.ts';

playSessions('linux', 16);
