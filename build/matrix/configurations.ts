// All configurations that yaos is tested on, and the share of them that every test run boots.

import { COMBINATIONS } from './combinations.ts';
import type { Configuration } from './configuration.ts';
import { SINGLE } from './single.ts';

export const CONFIGURATIONS: Configuration[] = [...SINGLE, ...COMBINATIONS];

export const OFTEN = CONFIGURATIONS.filter(({ often }) => often);
