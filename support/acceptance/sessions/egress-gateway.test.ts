import { playSessions } from './play.ts';

playSessions('egress-gateway', 28);
