import { playSessions } from './play.ts';

playSessions('cilium-cli', 30);
