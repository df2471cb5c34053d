# SPDX-License-Identifier: GPL-3.0-or-later
"""Which resources a server has: the built-in tables of both profiles, and the registry that CRDs extend."""

from __future__ import annotations

import threading
from dataclasses import dataclass

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class ResourceType:
    """One resource in one version. Versions of one resource share their objects: `key` is the same."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    storage: tuple[str, str] | None = None  # of which resource this one is a view
    custom: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.storage or (self.group, self.plural)

    @property
    def qualified(self) -> str:
        """`jobs.batch`, `pods`: how messages and SystemClient name the resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


# A line: plural Kind scope(n|c) [short,short] [sub,sub] [categories]; "-" stands for none, "!verb,verb" limits the verbs.
_KUBERNETES = {
    "v1": """
        bindings Binding n - - - !create
        componentstatuses ComponentStatus c cs - - !get,list
        configmaps ConfigMap n cm
        endpoints Endpoints n ep
        events Event n ev
        limitranges LimitRange n limits
        namespaces Namespace c ns finalize,status
        nodes Node c no proxy,status
        persistentvolumeclaims PersistentVolumeClaim n pvc status
        persistentvolumes PersistentVolume c pv status
        pods Pod n po attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status all
        podtemplates PodTemplate n
        replicationcontrollers ReplicationController n rc scale,status all
        resourcequotas ResourceQuota n quota status
        secrets Secret n
        serviceaccounts ServiceAccount n sa token
        services Service n svc proxy,status all""",
    "apps/v1": """
        controllerrevisions ControllerRevision n
        daemonsets DaemonSet n ds status all
        deployments Deployment n deploy scale,status all
        replicasets ReplicaSet n rs scale,status all
        statefulsets StatefulSet n sts scale,status all""",
    "batch/v1": """
        cronjobs CronJob n cj status all
        jobs Job n - status all""",
    "rbac.authorization.k8s.io/v1": """
        clusterrolebindings ClusterRoleBinding c
        clusterroles ClusterRole c
        rolebindings RoleBinding n
        roles Role n""",
    "networking.k8s.io/v1": """
        ingressclasses IngressClass c
        ingresses Ingress n ing status
        networkpolicies NetworkPolicy n netpol""",
    "policy/v1": "poddisruptionbudgets PodDisruptionBudget n pdb status",
    "storage.k8s.io/v1": """
        csidrivers CSIDriver c
        csinodes CSINode c
        csistoragecapacities CSIStorageCapacity n
        storageclasses StorageClass c sc
        volumeattachments VolumeAttachment c - status""",
    "coordination.k8s.io/v1": "leases Lease n",
    "events.k8s.io/v1": "events Event n ev",
    "apiextensions.k8s.io/v1": "customresourcedefinitions CustomResourceDefinition c crd,crds status api-extensions",
    "apiregistration.k8s.io/v1": "apiservices APIService c - status api-extensions",
    "admissionregistration.k8s.io/v1": """
        mutatingwebhookconfigurations MutatingWebhookConfiguration c - - api-extensions
        validatingadmissionpolicies ValidatingAdmissionPolicy c - status api-extensions
        validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding c - - api-extensions
        validatingwebhookconfigurations ValidatingWebhookConfiguration c - - api-extensions""",
    "authentication.k8s.io/v1": """
        selfsubjectreviews SelfSubjectReview c - - - !create
        tokenreviews TokenReview c - - - !create""",
    "authorization.k8s.io/v1": """
        localsubjectaccessreviews LocalSubjectAccessReview n - - - !create
        selfsubjectaccessreviews SelfSubjectAccessReview c - - - !create
        selfsubjectrulesreviews SelfSubjectRulesReview c - - - !create
        subjectaccessreviews SubjectAccessReview c - - - !create""",
    "autoscaling/v2": "horizontalpodautoscalers HorizontalPodAutoscaler n hpa status all",
    "autoscaling/v1": "horizontalpodautoscalers HorizontalPodAutoscaler n hpa status all",
    "certificates.k8s.io/v1": "certificatesigningrequests CertificateSigningRequest c csr approval,status",
    "discovery.k8s.io/v1": "endpointslices EndpointSlice n",
    "flowcontrol.apiserver.k8s.io/v1": """
        flowschemas FlowSchema c - status
        prioritylevelconfigurations PriorityLevelConfiguration c - status""",
    "node.k8s.io/v1": "runtimeclasses RuntimeClass c",
    "scheduling.k8s.io/v1": "priorityclasses PriorityClass c pc",
}

_OPENSHIFT = {
    "apps.openshift.io/v1": "deploymentconfigs DeploymentConfig n dc instantiate,log,rollback,scale,status all",
    "authorization.openshift.io/v1": """
        selfsubjectrulesreviews SelfSubjectRulesReview n - - - !create
        rolebindingrestrictions RoleBindingRestriction n""",
    "build.openshift.io/v1": """
        buildconfigs BuildConfig n bc instantiate,instantiatebinary,webhooks all
        builds Build n - clone,details,log all""",
    "config.openshift.io/v1": """
        apiservers APIServer c - status
        authentications Authentication c - status
        builds Build c
        clusteroperators ClusterOperator c co status
        clusterversions ClusterVersion c - status
        consoles Console c - status
        images Image c - status
        infrastructures Infrastructure c - status
        ingresses Ingress c - status
        networks Network c
        oauths OAuth c - status
        projects Project c - status
        proxies Proxy c - status
        schedulers Scheduler c - status""",
    "console.openshift.io/v1": """
        consoleclidownloads ConsoleCLIDownload c
        consolelinks ConsoleLink c""",
    "image.openshift.io/v1": """
        images Image c
        imagesignatures ImageSignature c - - - !create,delete
        imagestreamimages ImageStreamImage n isimage - - !get
        imagestreamimports ImageStreamImport n - - - !create
        imagestreammappings ImageStreamMapping n - - - !create
        imagestreams ImageStream n is layers,secrets,status all
        imagestreamtags ImageStreamTag n istag - - !create,delete,get,list,patch,update
        imagetags ImageTag n itag - - !create,delete,get,list,patch,update""",
    "oauth.openshift.io/v1": """
        oauthaccesstokens OAuthAccessToken c
        oauthauthorizetokens OAuthAuthorizeToken c
        oauthclientauthorizations OAuthClientAuthorization c
        oauthclients OAuthClient c
        useroauthaccesstokens UserOAuthAccessToken c - - - !delete,get,list,watch""",
    "operator.openshift.io/v1": """
        consoles Console c - status
        ingresscontrollers IngressController n - scale,status""",
    "project.openshift.io/v1": """
        projectrequests ProjectRequest c - - - !create,list
        projects Project c""",
    "quota.openshift.io/v1": """
        appliedclusterresourcequotas AppliedClusterResourceQuota n - - - !get,list
        clusterresourcequotas ClusterResourceQuota c clusterquota status""",
    "route.openshift.io/v1": "routes Route n - custom-host,status all",
    "security.openshift.io/v1": """
        podsecuritypolicyreviews PodSecurityPolicyReview n - - - !create
        podsecuritypolicyselfsubjectreviews PodSecurityPolicySelfSubjectReview n - - - !create
        podsecuritypolicysubjectreviews PodSecurityPolicySubjectReview n - - - !create
        rangeallocations RangeAllocation c
        securitycontextconstraints SecurityContextConstraints c scc""",
    "template.openshift.io/v1": """
        processedtemplates Template n - - - !create
        templateinstances TemplateInstance n - status
        templates Template n""",
    "user.openshift.io/v1": """
        groups Group c
        identities Identity c
        useridentitymappings UserIdentityMapping c - - - !create,delete,get,patch,update
        users User c""",
}

_VIEWS = {
    ("events.k8s.io", "events"): ("", "events"),
    ("project.openshift.io", "projects"): ("", "namespaces"),
}


def _words(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))


def _parse(api_version: str, table: str) -> list[ResourceType]:
    group, _unused, version = api_version.rpartition("/")
    found = []
    for line in table.strip().splitlines():
        words = line.split()
        verbs = _words(words.pop()[1:]) if words[-1].startswith("!") else ALL_VERBS
        plural, kind, scope, short, subresources, categories = (words + ["-"] * 3)[:6]
        found.append(
            ResourceType(
                group=group,
                version=version,
                plural=plural,
                kind=kind,
                namespaced=scope == "n",
                singular=kind.lower(),
                short_names=_words(short),
                subresources=_words(subresources),
                categories=_words(categories),
                verbs=verbs,
                storage=_VIEWS.get((group, plural)),
            )
        )
    return found


class Registry:
    """The resources that are served now, with the version that each group prefers first."""

    def __init__(self, profile: str):
        self._lock = threading.Lock()
        self._types: dict[tuple[str, str, str], ResourceType] = {}
        self.revision = 0
        tables = {**_KUBERNETES, **(_OPENSHIFT if profile == "openshift" else {})}
        for api_version, table in tables.items():
            for resource in _parse(api_version, table):
                self._types[(resource.group, resource.version, resource.plural)] = resource

    def add(self, resources: list[ResourceType]) -> None:
        with self._lock:
            types = dict(self._types)
            types.update({(one.group, one.version, one.plural): one for one in resources})
            self._types = types
            self.revision += 1

    def remove(self, group: str, plural: str) -> None:
        with self._lock:
            self._types = {key: one for key, one in self._types.items() if (key[0], key[2]) != (group, plural)}
            self.revision += 1

    def all(self) -> list[ResourceType]:
        return list(self._types.values())

    def groups(self) -> dict[str, dict[str, list[ResourceType]]]:
        """{group: {version: resources}}, the core group first."""
        found: dict[str, dict[str, list[ResourceType]]] = {}
        for resource in self._types.values():
            found.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
        return found

    def lookup(self, group: str, version: str, plural: str) -> ResourceType | None:
        return self._types.get((group, version, plural))

    def by_key(self, key: tuple[str, str]) -> ResourceType | None:
        """The first version of the resource with this group and plural."""
        return next((one for one in self._types.values() if (one.group, one.plural) == key), None)

    def named(self, name: str) -> ResourceType:
        """The resource called `plural` or `plural.group`; KeyError if there is none."""
        plural, _unused, group = name.partition(".")
        found = self.by_key((group, plural))
        if found is None:
            raise KeyError(name)
        return found
