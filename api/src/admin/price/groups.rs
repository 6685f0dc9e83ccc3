//! Groups of payers.

use anyhow::{Context, Result};
use clap::Args;
use comfy_table::Table;
use plasma_proto::billing::v1::{
    AddPayerRequest, CreatePayerGroupRequest, DeletePayerGroupRequest, ListPayerGroupsRequest,
    ListPayersRequest, RemovePayerRequest,
};

use super::{client, shown};
use crate::admin::Connection;
use crate::admin::connection::{explain, request_id};

/// Create a group of payers.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its name.
    display_name: String,
}

impl Create {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let display_name = self.display_name;
        let request = CreatePayerGroupRequest { request_id: request_id(), display_name };
        let request = connection.request(request);
        let answer = client(connection).create_payer_group(request).await.map_err(explain)?;
        let group = answer.into_inner().group.context("the answer has no group")?;
        println!("{} is created", group.payer_group_id);
        Ok(())
    }
}

/// Lists groups, oldest first.
pub(super) async fn list(connection: &Connection) -> Result<()> {
    let mut table = Table::new();
    table.set_header(["group", "name"]);
    let mut page_token = String::new();
    loop {
        let request = connection.request(ListPayerGroupsRequest { page_size: 200, page_token });
        let page = client(connection).list_payer_groups(request).await.map_err(explain)?;
        let page = page.into_inner();
        for group in page.groups {
            table.add_row([group.payer_group_id, group.display_name]);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    println!("{table}");
    Ok(())
}

/// Delete a group that has no payers.
#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The group, payergroup_….
    payer_group_id: String,
}

impl Delete {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let payer_group_id = self.payer_group_id;
        let request = DeletePayerGroupRequest { request_id: request_id(), payer_group_id };
        let request = connection.request(request);
        client(connection).delete_payer_group(request).await.map_err(explain)?;
        println!("deleted");
        Ok(())
    }
}

/// Put a payer, or everybody of a platform, into a group.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The group, payergroup_….
    payer_group_id: String,
    /// The payer, user_…; everybody of the platform where it is not given.
    #[arg(long, default_value = "")]
    payer: String,
    /// The payer's platform, tenant_…; the own one where it is not given.
    #[arg(long, default_value = "")]
    payer_tenant: String,
}

impl Add {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let request = connection.request(AddPayerRequest {
            request_id: request_id(),
            payer_group_id: self.payer_group_id,
            payer_tenant_id: self.payer_tenant,
            payer_user_id: self.payer,
        });
        let answer = client(connection).add_payer(request).await.map_err(explain)?;
        let payer = answer.into_inner().payer.context("the answer has no payer")?;
        println!("in the group since {}", shown::moment(payer.create_time.as_ref()));
        Ok(())
    }
}

/// Take a payer, or everybody of a platform, out of a group.
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The group, payergroup_….
    payer_group_id: String,
    /// The payer, user_…; everybody of the platform where it is not given.
    #[arg(long, default_value = "")]
    payer: String,
    /// The payer's platform, tenant_…; the own one where it is not given.
    #[arg(long, default_value = "")]
    payer_tenant: String,
}

impl Remove {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let request = connection.request(RemovePayerRequest {
            request_id: request_id(),
            payer_group_id: self.payer_group_id,
            payer_tenant_id: self.payer_tenant,
            payer_user_id: self.payer,
        });
        client(connection).remove_payer(request).await.map_err(explain)?;
        println!("not in the group");
        Ok(())
    }
}

/// List the payers of a group.
#[derive(Debug, Args)]
pub(super) struct Payers {
    /// The group, payergroup_….
    payer_group_id: String,
}

impl Payers {
    pub(super) async fn run(self, connection: &Connection) -> Result<()> {
        let mut table = Table::new();
        table.set_header(["platform", "payer", "since"]);
        let mut page_token = String::new();
        loop {
            let request = connection.request(ListPayersRequest {
                payer_group_id: self.payer_group_id.clone(),
                page_size: 200,
                page_token,
            });
            let page = client(connection).list_payers(request).await.map_err(explain)?;
            let page = page.into_inner();
            for payer in page.payers {
                let since = shown::moment(payer.create_time.as_ref());
                let user = match payer.payer_user_id {
                    user if user.is_empty() => "everybody".to_owned(),
                    user => user,
                };
                table.add_row([payer.payer_tenant_id, user, since]);
            }
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        println!("{table}");
        Ok(())
    }
}
