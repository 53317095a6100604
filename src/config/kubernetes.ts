const SERVICE_URL = /^(?:tcp|udp|sctp):\/\//;

/** Names that Kubernetes sets for a Service and that no program uses for its own settings. */
const SERVICE_NAME =
  /_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/;

/**
 * Whether Kubernetes has set a variable. It sets `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`, `NAME_PORT=tcp://…` and
 * `NAME_PORT_80_TCP…` in every container for each Service. For example, a Service named `admin` sets ADMIN_PORT.
 */
export function isSetByKubernetes(name: string, value: string): boolean {
  return (
    SERVICE_NAME.test(name) ||
    (/(?:^|_)PORT$/.test(name) && SERVICE_URL.test(value))
  );
}
