// The thread that owns the database. It takes everything that waits on its port into one batch; while a commit waits
// for the disk, the next batch gathers by itself.
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { describeError } from '../../mail/error.ts';
import { sqliteMigrations } from '../migrations/sqlite.ts';
import { BatchRunner, type VerbRequest } from './batch.ts';
import { removeContentFile, sweepContentFiles } from './content-files.ts';
import { type Opened, openDatabase } from './database.ts';
import type { Parcel } from './passing.ts';
import { Sql } from './sql.ts';
import type { Answer, FromWorker, Requests, WorkerOptions } from './wire.ts';

/** Bounds how long the first of a batch waits for the last, and the memory that their content takes. */
const largestBatch = 256;

function serve(port: MessagePort, options: WorkerOptions): void {
  let opened: Opened;
  let runner: BatchRunner;
  try {
    opened = openDatabase(options.folder, sqliteMigrations, options);
    const sql = new Sql(opened.database);
    sweepContentFiles(options.folder, sql);
    runner = new BatchRunner(sql, options.keepContent, (file) => removeContentFile(options.folder, file));
  } catch (error) {
    tell(port, { kind: 'refused', message: describeError(error) });
    port.close();
    return;
  }
  port.on('message', (first: Requests) => {
    let closing: number | undefined;
    const batch: VerbRequest[] = [];
    for (let requests: Requests | undefined = first; requests; requests = next(port)) {
      for (const request of requests) {
        if (request.verb === 'close') closing = request.id;
        else batch.push(request);
      }
      if (closing !== undefined || batch.length >= largestBatch) break;
    }
    if (batch.length > 0) {
      const { answers, committed, fatal } = runner.run(batch);
      tell(port, { kind: 'answers', answers, committed });
      for (const request of batch) giveBack(request);
      if (fatal !== undefined) {
        // Not thrown: an uncaught error goes another way, and may overtake the answers. Nor is the database closed,
        // which would write to it: the thread's end lets go of it.
        tell(port, { kind: 'failed', message: describeError(fatal) });
        port.close();
        return;
      }
    }
    if (closing !== undefined) {
      opened.close();
      tell(port, { kind: 'answers', answers: [{ id: closing, ok: true, value: undefined }], committed: 0 });
      port.close();
    }
  });
  tell(port, { kind: 'ready', warnings: opened.warnings });
}

/** This thread makes so little garbage that collecting it comes late: the memory of content is given back at once. */
function giveBack({ verb, args }: VerbRequest): void {
  if (verb === 'acceptPassing') (args as unknown as Parcel)[7].buffer.transfer(0);
}

function next(port: MessagePort): Requests | undefined {
  return receiveMessageOnPort(port)?.message as Requests | undefined;
}

function tell(port: MessagePort, message: FromWorker): void {
  const transfer = message.kind === 'answers' ? message.answers.flatMap(wholeBuffer) : [];
  port.postMessage(message, transfer);
}

/** Content that is read has a buffer of its own: it changes hands instead of being copied. */
function wholeBuffer(answer: Answer): ArrayBuffer[] {
  if (!answer.ok || !(answer.value instanceof Uint8Array)) return [];
  const { buffer, byteLength } = answer.value;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

if (parentPort) serve(parentPort, workerData as WorkerOptions);
