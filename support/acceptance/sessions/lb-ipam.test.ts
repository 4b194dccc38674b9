import { playSessions } from './play.ts';

playSessions('lb-ipam', 93);
