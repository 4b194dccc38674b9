import { playSessions } from './play.ts';

playSessions('policies', 28);
