# A Vault Agent beside a PBX: it renders each template again when rotator has published another credential, and tells the
# PBX. `vault agent -config=vault-agent.hcl`; with OpenBao `bao agent -config=vault-agent.hcl`. Keep the templates that you need.
vault {
  address = "https://vault:8200"
  ca_cert = "/etc/vault-agent/ca.pem"
}

# The files that `rotator device-login` writes, or those of an AppRole of your own that may read sip/office-phone.
auto_auth {
  method "approle" {
    config = {
      role_id_file_path                   = "/etc/vault-agent/role-id"
      secret_id_file_path                 = "/etc/vault-agent/secret-id"
      remove_secret_id_file_after_reading = false
    }
  }
}

template_config {
  # How long a device may use the old password after a rotation: far below the policy's `overlap`. Its default is 5m.
  static_secret_render_interval = "1m"
}

template {
  source               = "/etc/vault-agent/asterisk.ctmpl"
  destination          = "/etc/asterisk/pjsip.d/office-phone.conf"
  perms                = "0640"
  error_on_missing_key = true # rather the file of before than one without a password
  exec {
    command = ["asterisk", "-rx", "pjsip reload"]
  }
}

template {
  source               = "/etc/vault-agent/freeswitch.ctmpl"
  destination          = "/etc/freeswitch/sip_profiles/external/office-phone.xml"
  perms                = "0640"
  error_on_missing_key = true
  exec {
    # The gateway has to be stopped first: a rescan leaves a gateway that it knows as it is.
    command = ["sh", "-c", "fs_cli -x 'sofia profile external killgw office-phone' && sleep 2 && fs_cli -x 'sofia profile external rescan'"]
  }
}

template {
  source               = "/etc/vault-agent/kamailio.ctmpl"
  destination          = "/etc/kamailio/dbtext/uacreg"
  perms                = "0640"
  error_on_missing_key = true
  exec {
    command = ["kamcmd", "uac.reg_refresh", "office-phone"] # not reg_reload, which works once in 150 s
  }
}
