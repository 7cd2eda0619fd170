// The thread of one rehearsal: one task in, one answer out.
import { parentPort, workerData } from 'node:worker_threads';
import { perform, type Task } from '../rehearsal/tasks.ts';

parentPort?.postMessage(perform(workerData as Task));
