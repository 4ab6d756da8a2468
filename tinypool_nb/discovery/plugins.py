"""The command that a kubeconfig names to log in (an exec plugin): the credential that it gave, or why there is none.

The client's own way logs a failed command with all that it wrote, whatever that is, and goes on as a stranger: the API server then refuses
somebody whom the user does not know, and no Role would help.

Source: Kubernetes, "Authenticating", client-go credential plugins.
"""

import re
from typing import Any

from kubernetes.config.config_exception import ConfigException
from kubernetes.config.dateutil import parse_rfc3339
from kubernetes.config.exec_provider import ExecProvider
from kubernetes.config.kube_config import FileOrData, KubeConfigLoader

from tinypool_nb.errors import KubeconfigError, shown

_ENDED = re.compile(r"exec: process returned (-?\d+)")


class Loader(KubeConfigLoader):
    """The client's reader of a kubeconfig, in which a command that gives no credential is an error.

    That is so whenever it is asked: at first, and in the midst of a request once its credential has expired.
    """

    def _load_from_exec_plugin(self) -> bool:
        user: Any = self._user
        cluster: Any = self._cluster
        if "exec" not in user:
            return False
        base = self._get_base_path(cluster.path)
        told = _credential(user["exec"], base, cluster)
        if told.get("token"):
            self.token = f"Bearer {told['token']}"
        else:
            self.cert_file = self._file_of(told, "clientCertificateData", base)
            self.key_file = self._file_of(told, "clientKeyData", base)
        if told.get("expirationTimestamp"):
            self.expiry = parse_rfc3339(told["expirationTimestamp"])
        return True

    def _file_of(self, told: dict[str, Any], key: str, base: str) -> str:
        data = FileOrData(
            told, None, data_key_name=key, file_base_path=base, base64_file_content=False, temp_file_path=self._temp_file_path
        )
        return str(data.as_file())


def _credential(command: Any, folder: str, cluster: Any) -> dict[str, Any]:
    """What the command gives: a token, or a certificate and its key.

    Raises:
        KubeconfigError: nothing of that. What it wrote is not quoted.
    """
    try:
        told = ExecProvider(command, folder, cluster).run()
        if told.get("token") or (told.get("clientCertificateData") and told.get("clientKeyData")):
            return dict(told)
        why = "it gave neither a token nor a certificate with its key"
    except OSError as error:
        why = f"it cannot be run: {error.strerror or type(error).__name__}"
    except Exception as error:  # noqa: BLE001 its text may quote what the command wrote
        code = _ENDED.match(str(error)) if isinstance(error, ConfigException) else None
        why = f"it ended with code {code[1]}" if code else "what it wrote is no ExecCredential of the version that the kubeconfig says"
    name = shown(command.safe_get("command"), most=200) if "command" in command else "that is not said"
    raise KubeconfigError(f"the command {name}, by which its user logs in, gave no credential: {why}; run it in a shell to see more")
