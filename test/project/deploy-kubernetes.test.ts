import { describe, expect, it } from "@jest/globals";
import { readdirSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import { VARIABLES } from "../../src/config/variables.ts";
import { isSetByKubernetes } from "../../src/config/kubernetes.ts";
import {
  CONNECTIONS_BESIDES_POOL,
  envFile,
  type Manifest,
  manifests,
  podOf,
  RESERVED_CONNECTIONS,
} from "../support/deploy.ts";
import { typeErrorsOf } from "../support/kubernetes-types.ts";
import { inProject } from "../support/project.ts";
import { describeWith, runTool, withTool } from "../support/tools.ts";

/** The default of PostgreSQL. */
const MAX_CONNECTIONS = 100;

interface Kustomization {
  readonly resources: readonly string[];
  readonly patches?: readonly { readonly path: string }[];
  readonly configMapGenerator: readonly {
    readonly name: string;
    readonly envs?: readonly string[];
  }[];
  readonly images?: readonly { readonly name: string }[];
}

const kustomization = (folder: string): Kustomization =>
  manifests(`${folder}/kustomization.yaml`)[0] as unknown as Kustomization;

const filesIn = (folder: string): string[] =>
  readdirSync(inProject("deploy", "kubernetes", folder));

const nameOf = ({ kind, metadata }: Manifest): string =>
  `${kind} ${metadata?.name ?? ""}`;

const base = kustomization("base").resources.flatMap((file) =>
  manifests(`base/${file}`),
);
const find = (kind: string): Record<string, unknown> =>
  base.find((document) => document.kind === kind)!["spec"] as Record<
    string,
    unknown
  >;
const pod = podOf(base);
const container = pod.containers[0]!;

describe("the manifests of Kubernetes", () => {
  it("have only fields that Kubernetes knows, with the right types", () => {
    expect(
      typeErrorsOf([...base, ...manifests("sqlite/volume-claim.yaml")]),
    ).toEqual([]);
  });

  it("are checked for unknown fields and wrong types", () => {
    const [service] = manifests("base/service.yaml");
    expect(
      typeErrorsOf([
        { ...service!, spec: { selectors: {}, ports: [{ port: 80 }] } },
        { ...service!, spec: { ports: [{ port: "80" }] } },
      ]),
    ).toEqual([
      expect.stringContaining("selectors"),
      expect.stringContaining("not assignable to type 'number'"),
    ]);
  });

  it.each(["base", "sqlite"])(
    "are all used by the kustomization %s",
    (name) => {
      const {
        resources,
        patches = [],
        configMapGenerator,
      } = kustomization(name);
      expect(filesIn(name).sort()).toEqual(
        [
          "kustomization.yaml",
          ...resources.filter((file) => file !== "../base"),
          ...patches.map(({ path }) => path),
          ...configMapGenerator.flatMap(({ envs = [] }) => envs),
        ].sort(),
      );
    },
  );

  it("are patched by documents that name one of them", () => {
    const patches = kustomization("sqlite").patches!.flatMap(({ path }) =>
      manifests(`sqlite/${path}`),
    );
    expect(patches).toHaveLength(3);
    for (const patch of patches) {
      expect(base.map(nameOf)).toContain(nameOf(patch));
    }
  });

  it("refer to names that exist", () => {
    expect(find("HorizontalPodAutoscaler")["scaleTargetRef"]).toMatchObject({
      kind: "Deployment",
      name: "hexhook",
    });
    const labels = { "app.kubernetes.io/name": "hexhook" };
    expect(find("Service")["selector"]).toEqual(labels);
    for (const [kind, selector] of [
      ["Deployment", "selector"],
      ["PodDisruptionBudget", "selector"],
      ["NetworkPolicy", "podSelector"],
    ] as const) {
      expect(find(kind)[selector]).toEqual({ matchLabels: labels });
    }
    expect(find("Deployment")["template"]).toMatchObject({
      metadata: { labels },
    });
    expect(kustomization("base").images![0]!.name).toBe(container.image);
    expect(kustomization("base").configMapGenerator[0]!.name).toBe("hexhook");
    expect(container).toMatchObject({
      envFrom: [{ configMapRef: { name: "hexhook" } }],
    });
  });

  it("use the port of the service", () => {
    expect(container.ports).toEqual([
      {
        name: "public",
        containerPort: Number(VARIABLES.PORT.default),
        protocol: "TCP",
      },
    ]);
    expect(find("Service")["ports"]).toMatchObject([{ targetPort: "public" }]);
    for (const [probe, path] of [
      ["startupProbe", "/livez"],
      ["livenessProbe", "/livez"],
      ["readinessProbe", "/readyz"],
    ] as const) {
      expect(container).toMatchObject({
        [probe]: { httpGet: { path, port: "public" } },
      });
    }
  });

  it("run without privileges, without a token, and on a read-only root", () => {
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      },
    });
    expect(container).toMatchObject({
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      },
    });
    expect(base).toContainEqual(
      expect.objectContaining({
        kind: "ServiceAccount",
        automountServiceAccountToken: false,
      }),
    );
  });

  it("read each secret from a directory that is mounted", () => {
    for (const { value } of container.env) {
      expect(
        container.volumeMounts.filter(({ mountPath }) =>
          value.startsWith(`${mountPath}/`),
        ),
      ).toMatchObject([{ name: "secrets", readOnly: true }]);
    }
  });

  it("replace no pod before its successor is ready", () => {
    expect(find("Deployment")["strategy"]).toMatchObject({
      rollingUpdate: { maxUnavailable: 0 },
    });
    expect(find("HorizontalPodAutoscaler")["minReplicas"]).toBe(2);
  });

  it("need no more connections than PostgreSQL has by default", () => {
    const replicas = find("HorizontalPodAutoscaler")["maxReplicas"] as number;
    const pool = Number(
      envFile("kubernetes/base/hexhook.env")["DATABASE_POOL"],
    );
    // During an update there is one pod more.
    expect(
      (replicas + 1) * (pool + CONNECTIONS_BESIDES_POOL),
    ).toBeLessThanOrEqual(MAX_CONNECTIONS - RESERVED_CONNECTIONS);
  });

  it("have a Service whose variables cause no warning", () => {
    const upper = nameOf(base.find(({ kind }) => kind === "Service")!)
      .split(" ")[1]!
      .toUpperCase();
    expect(isSetByKubernetes(`${upper}_PORT`, "tcp://10.0.0.1:80")).toBe(true);
    expect(pod).toMatchObject({ enableServiceLinks: false });
  });
});

describeWith("kubectl")(
  withTool("kubectl", "the manifests that Kustomize makes"),
  () => {
    function build(folder: string): Manifest[] {
      const { code, output } = runTool("kubectl", [
        "kustomize",
        inProject("deploy", "kubernetes", folder),
      ]);
      expect([code, output]).toEqual([0, expect.any(String)]);
      return parseAllDocuments(output).map(
        (document) => document.toJS() as Manifest,
      );
    }

    it("are valid for several replicas on PostgreSQL", () => {
      const documents = build("base");
      expect(typeErrorsOf(documents)).toEqual([]);
      expect(documents.map(({ kind }) => kind).sort()).toEqual([
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
      ]);
    });

    it("are valid for one pod with SQLite", () => {
      const documents = build("sqlite");
      expect(typeErrorsOf(documents)).toEqual([]);
      expect(documents.map(({ kind }) => kind).sort()).toEqual([
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "Service",
        "ServiceAccount",
      ]);
      const deployment = documents.find(({ kind }) => kind === "Deployment")!;
      expect(deployment["spec"]).toMatchObject({
        replicas: 1,
        strategy: { type: "Recreate" },
      });
      expect(JSON.stringify(podOf(documents))).not.toContain("DATABASE_URL");
      expect(documents.find(({ kind }) => kind === "ConfigMap")).toMatchObject({
        data: { DATABASE_URL: "sqlite:/data/hexhook.db" },
      });
      expect(podOf(documents)).toMatchObject({
        volumes: expect.arrayContaining([
          { name: "data", persistentVolumeClaim: { claimName: "hexhook" } },
        ]),
      });
    });
  },
);
