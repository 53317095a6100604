import type { Service } from "../app/service.ts";
import type { Emit } from "../telemetry/happening.ts";
import type { Io } from "./io.ts";
import { onSignal } from "./on-signal.ts";

/** A signal that is sent to a process and to its group arrives twice. Two signals within this time count as one request to stop. */
const SAME_SIGNAL_MS = 100;

export interface ServiceSignals {
  readonly emit: Emit;
  /** Called at the first SIGTERM or SIGINT. */
  readonly onStop: (signal: NodeJS.Signals) => void;
  /** Called at the second one. */
  readonly onSecond: () => void;
}

/** Handles SIGTERM, SIGINT and SIGHUP of a service, from its startup to its shutdown. */
export function handleServiceSignals(
  signals: Io["signals"],
  starting: Promise<Service>,
  { emit, onStop, onSecond }: ServiceSignals,
): void {
  let stoppingSince: number | null = null;
  const stop = (signal: NodeJS.Signals): void => {
    if (stoppingSince === null) {
      stoppingSince = performance.now();
      emit({ type: "service.stopping", signal });
      onStop(signal);
    } else if (performance.now() - stoppingSince > SAME_SIGNAL_MS) {
      onSecond();
    }
  };
  const reload = async (): Promise<void> => {
    // A failed startup is reported elsewhere. A service that is stopping needs no new configuration.
    const service = await starting.catch(() => null);
    if (stoppingSince === null) {
      await service?.reload();
    }
  };
  onSignal(signals, "SIGTERM", stop);
  onSignal(signals, "SIGINT", stop);
  onSignal(signals, "SIGHUP", () => {
    if (stoppingSince === null) {
      emit({ type: "reload.requested" });
      reload().catch((error: unknown) => {
        emit({ type: "reload.failed", error });
      });
    }
  });
}
