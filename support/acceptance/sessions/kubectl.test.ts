import { playSessions } from './play.ts';

playSessions('kubectl', 70);
