/** The worker's beginning: everything that touches the engine happens in this thread. */
import * as Comlink from 'comlink';

import { carryProblems } from '../engine/problem';
import { createEngine } from './engine';

carryProblems();
Comlink.expose(createEngine());
