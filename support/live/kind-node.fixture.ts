/**
 * A node image for kind without Kubernetes: gobgpd in the place of Cilium's agent, and scripts in the place of kubeadm, kubectl
 * and containerd, which do as much as kind asks of them. The real kind makes clusters of it, loads images into it and
 * writes its kubeconfig.
 */
export const nodeImageName = 'kindest/node:v1.27.3';

export const nodeFiles: Readonly<Record<string, string>> = {
  Dockerfile: `FROM lab/gobgp
RUN mkdir -p /kind /etc/kubernetes && echo v1.27.3 >/kind/version
COPY bin/ /usr/local/bin/
COPY admin.conf /etc/kubernetes/
CMD ["entry"]
`,
  // kind waits for the word that systemd has started; a shell that waits reaps what it did not start.
  'bin/entry': `#!/bin/sh
trap 'exit 0' TERM
echo 'Reached target Multi-User System.'
while :; do sleep 3600 & wait $!; done
`,
  'bin/kubeadm': '#!/bin/sh\necho "kubeadm $*" >>/kind/calls\n',
  'bin/kubectl': '#!/bin/sh\ncat >/dev/null\necho "kubectl $*" >>/kind/calls\n',
  'bin/containerd': `#!/bin/sh
printf 'version = 2\\n[plugins."io.containerd.grpc.v1.cri".containerd]\\nsnapshotter = "overlayfs"\\n'
`,
  // ctr --namespace=k8s.io images import … - : an archive of docker save.
  'bin/ctr': `#!/bin/sh
tar -xOf - manifest.json | tr '{' '\\n' | sed -n 's/.*"Config":"\\(blobs.sha256.\\)*\\([0-9a-f]*\\)[."].*"RepoTags":\\["\\([^"]*\\)".*/sha256:\\2 docker.io\\/\\3/p' >>/kind/images
`,
  // crictl inspecti NAME-OR-ID
  'bin/crictl': `#!/bin/sh
row=$(grep -E "^($2|[^ ]* (docker.io/)?$2)$" /kind/images 2>/dev/null | tail -n 1)
[ -n "$row" ] || { echo 'no such image present' >&2; exit 1; }
echo "{\\"status\\": {\\"id\\": \\"\${row% *}\\", \\"repoTags\\": [\\"\${row#* }\\"]}}"
`,
  'admin.conf': `apiVersion: v1
kind: Config
clusters: [{name: kubernetes, cluster: {server: "https://kind-control-plane:6443"}}]
users: [{name: kubernetes-admin, user: {token: none}}]
contexts: [{name: kubernetes-admin@kubernetes, context: {cluster: kubernetes, user: kubernetes-admin}}]
current-context: kubernetes-admin@kubernetes
`,
};

/** Somebody's kubeconfig before the lab came. */
export const somebodysConfig = `apiVersion: v1
clusters:
- cluster:
    server: https://192.0.2.1:6443
  name: somebody-elses
contexts:
- context:
    cluster: somebody-elses
    user: somebody
  name: somebody-elses
current-context: somebody-elses
kind: Config
users:
- name: somebody
  user:
    token: theirs
`;

/** As much of kind as a lab needs, for machines that have none. */
export const kindStandIn = `case "$1 $2" in
"version ") echo 'kind v0.27.0 go1.23.6 linux/amd64' ;;
"create cluster")
  docker network inspect kind >/dev/null 2>&1 || docker network create --subnet 172.18.0.0/16 kind >/dev/null || exit 1
  for node in kind-control-plane kind-worker kind-worker2; do
    docker run --detach --name $node --hostname $node --privileged --network kind --label io.x-k8s.kind.cluster=kind \\
      --sysctl net.ipv6.conf.all.disable_ipv6=0 --sysctl net.ipv6.conf.all.forwarding=1 ${nodeImageName} >/dev/null || exit 1
  done
  cp "$KUBECONFIG" "$KUBECONFIG.before"
  sed 's/^current-context:.*/current-context: kind-kind/; s/^contexts:/&\\n- context: {cluster: kind-kind, user: kind-kind}\\n  name: kind-kind/' "$KUBECONFIG.before" >"$KUBECONFIG" ;;
"load docker-image")
  shift 2
  for node in kind-control-plane kind-worker kind-worker2; do docker save "$1" | docker exec -i $node ctr - || exit 1; done ;;
"delete cluster")
  ids=$(docker ps --all --quiet --filter label=io.x-k8s.kind.cluster=kind)
  [ -z "$ids" ] || docker rm --force --volumes $ids >/dev/null
  [ ! -e "$KUBECONFIG.before" ] || sed 's/^current-context:.*/current-context: ""/' "$KUBECONFIG.before" >"$KUBECONFIG"
  rm -f "$KUBECONFIG.before" ;;
esac
`;

/** As much of \`kubectl config\`. */
export const kubectlConfigStandIn = `case "$2" in
current-context)
  context=$(sed -n 's/^current-context: *"*\\([^"]*\\)"*$/\\1/p' "$KUBECONFIG")
  [ -n "$context" ] && echo "$context" || { echo 'error: current-context is not set' >&2; exit 1; } ;;
get-contexts) grep -q "^  name: $3\\$" "$KUBECONFIG" || exit 1 ;;
use-context) sed -i "s/^current-context:.*/current-context: $3/" "$KUBECONFIG" ;;
esac
`;
