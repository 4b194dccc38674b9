import { playSessions } from './play.ts';

playSessions('containerlab', 12);
