import { playSessions } from './play.ts';

playSessions('l2-announcements', 20);
