"""What the API of Kubernetes takes of the objects that we use: a schema, by hand, after the API reference (v1.31).

A subset on purpose: a field that is not here is refused, so a misspelt one is. A new field is added here with its type.
"""

NAME = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63}
KEY = r"^([a-z0-9.-]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
WORDS = {"type": "object", "propertyNames": {"pattern": KEY}, "additionalProperties": {"type": "string"}}
LABELS = {**WORDS, "additionalProperties": {"type": "string", "pattern": r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
                                            "maxLength": 63}}
PATH = {"type": "string", "pattern": "^/"}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
COUNT = {"type": "integer", "minimum": 0}
QUANTITY = {"type": "string", "pattern": r"^[0-9]+(m|Ki|Mi|Gi)?$"}
CAPABILITY = {"enum": ["ALL", "BPF", "KILL", "NET_ADMIN", "NET_BIND_SERVICE", "PERFMON", "SETGID", "SETUID"]}  # without CAP_


def thing(required=(), **fields):
    return {"type": "object", "properties": fields, "required": list(required), "additionalProperties": False}


def list_of(items):
    return {"type": "array", "items": items, "minItems": 1}


METADATA = thing(["name"], name=NAME, namespace=NAME, labels=LABELS, annotations=WORDS)
PROBE = thing(["httpGet"], httpGet=thing(["port"], host={"type": "string"}, port=PORT, path=PATH), periodSeconds=COUNT,
              timeoutSeconds=COUNT, failureThreshold=COUNT, initialDelaySeconds=COUNT)
SECURITY = thing(
    (), privileged={"type": "boolean"}, allowPrivilegeEscalation={"type": "boolean"}, readOnlyRootFilesystem={"type": "boolean"},
    runAsUser=COUNT, capabilities=thing((), drop=list_of(CAPABILITY), add=list_of(CAPABILITY)),
    seccompProfile=thing(["type"], type={"enum": ["RuntimeDefault", "Unconfined"]}))
AMOUNTS = {"type": "object", "propertyNames": {"enum": ["cpu", "memory"]}, "additionalProperties": QUANTITY}
CONTAINER = thing(
    ["name", "image"], name=NAME, image={"type": "string", "pattern": r"^[a-z0-9./-]+:[\w.-]+$"},
    imagePullPolicy={"enum": ["Always", "IfNotPresent", "Never"]}, command=list_of({"type": "string"}),
    args=list_of({"type": "string"}), securityContext=SECURITY, resources=thing((), requests=AMOUNTS, limits=AMOUNTS),
    livenessProbe=PROBE, readinessProbe=PROBE,
    volumeMounts=list_of(thing(["name", "mountPath"], name=NAME, mountPath=PATH, readOnly={"type": "boolean"})))
VOLUME = {**thing(["name"], name=NAME, configMap=thing(["name"], name=NAME),
                  hostPath=thing(["path"], path=PATH, type={"enum": ["", "Directory", "DirectoryOrCreate", "File", "Socket"]})),
          "minProperties": 2, "maxProperties": 2}
POD = thing(
    ["containers"], hostNetwork={"type": "boolean"}, hostPID={"type": "boolean"},
    dnsPolicy={"enum": ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]},
    automountServiceAccountToken={"type": "boolean"}, priorityClassName=NAME, terminationGracePeriodSeconds=COUNT,
    nodeSelector=LABELS, tolerations=list_of(thing((), key={"type": "string"}, operator={"enum": ["Exists", "Equal"]},
                                                   effect={"enum": ["NoSchedule", "NoExecute", "PreferNoSchedule"]})),
    containers=list_of(CONTAINER), volumes=list_of(VOLUME))
TEMPLATE = thing(["metadata", "spec"], metadata=thing((), labels=LABELS, annotations=WORDS), spec=POD)
UPDATE = thing(["type"], type={"enum": ["RollingUpdate", "OnDelete"]},
               rollingUpdate=thing((), maxUnavailable={"anyOf": [COUNT, {"type": "string", "pattern": "^[0-9]+%$"}]}))

OBJECTS = {
    "Namespace": thing(["apiVersion", "kind", "metadata"], apiVersion={"const": "v1"}, kind={}, metadata=METADATA),
    "ConfigMap": thing(["apiVersion", "kind", "metadata"], apiVersion={"const": "v1"}, kind={}, metadata=METADATA,
                       data={"type": "object", "additionalProperties": {"type": "string"}}),
    "DaemonSet": thing(["apiVersion", "kind", "metadata", "spec"], apiVersion={"const": "apps/v1"}, kind={}, metadata=METADATA,
                       spec=thing(["selector", "template"], selector=thing((), matchLabels=LABELS), updateStrategy=UPDATE,
                                  template=TEMPLATE)),
}
