import { playSessions } from './play.ts';

playSessions('services', 45);
