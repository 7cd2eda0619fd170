// A report as tables for programs and spreadsheets; times in seconds.
import { percents, type Report } from '../tracking/report.ts';
import { csv } from './csv.ts';

const seconds = (time: number | null | undefined): number | null => (time == null ? null : time / 1000);

export const reportFiles = {
  times: ({ toRead, toTaken }: Report): string =>
    csv(
      ['percent', 'read_seconds', 'taken_seconds'],
      percents.map((percent) => [
        percent,
        seconds(toRead.values.find((one) => one.percent === percent)?.time),
        seconds(toTaken.values.find((one) => one.percent === percent)?.time),
      ]),
    ),
  groups: ({ groups }: Report): string =>
    csv(
      ['group', 'mails', 'watched', 'escalated', 'taken', 'median_seconds_to_taken'],
      groups.map((one) => [one.group, one.mails, one.watched, one.escalated, one.taken, seconds(one.medianToTaken)]),
    ),
  people: ({ people }: Report): string =>
    csv(
      [
        'person',
        'given',
        'taken',
        'median_seconds_to_taken',
        ...Array.from({ length: 24 }, (_, hour) => `hour_${hour}`),
      ],
      people.map((one) => [one.person, one.given, one.taken, seconds(one.medianToTaken), ...one.hours]),
    ),
} as const;

export type ReportFile = keyof typeof reportFiles;
