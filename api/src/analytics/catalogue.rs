//! Which tables and columns can be asked, with their meaning.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use ingest::id::TenantId;

use super::answer::sql_type;
use super::views::VIEWS;
use super::{Analytics, QueryError, live};
use crate::archive::schema::Table;

/// A table as people read about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) meaning: String,
    /// Name, type, meaning.
    pub(crate) columns: Vec<(String, String, Option<String>)>,
}

/// Tables that are neither archived nor views: what is now.
const FLEET: [(&str, &str); 4] = [
    (live::NAME, "each vehicle as it was last seen, and what is next for it"),
    ("vehicles", "vehicles as they are now"),
    ("devices", "devices as they are now"),
    ("routes", "routes at their newest version"),
];

impl Analytics {
    /// Every table of a tenant's session with its columns.
    pub(crate) async fn schemas(
        self: &Arc<Self>,
        tenant: &TenantId,
    ) -> Result<Vec<(String, SchemaRef)>, QueryError> {
        let context = self.session(tenant, "information_schema").await?;
        let mut schemas = Vec::new();
        for table in self.tables(tenant).await? {
            let provider = context.table_provider(table.name.as_str()).await?;
            schemas.push((table.name, provider.schema()));
        }
        Ok(schemas)
    }

    /// Every table of a tenant's session.
    pub(crate) async fn tables(
        self: &Arc<Self>,
        tenant: &TenantId,
    ) -> Result<Vec<Described>, QueryError> {
        let context = self.session(tenant, "information_schema").await?;
        let archived = Table::ALL.map(|table| (table.name(), table.meaning()));
        let views = VIEWS.iter().map(|view| (view.name, view.meaning));
        let mut tables = Vec::new();
        for (name, meaning) in archived.into_iter().chain(views).chain(FLEET) {
            // Without an operations store there is no fleet, without an API nothing is live.
            let Ok(provider) = context.table_provider(name).await else { continue };
            let table = Table::from_name(name);
            let column = |name: &str| {
                let column = table?.columns().iter().find(|column| column.name == name)?;
                Some(column.meaning.to_owned())
            };
            let schema = provider.schema();
            let columns = schema.fields().iter().map(|field| {
                (field.name().clone(), sql_type(field.data_type()), column(field.name()))
            });
            let columns = columns.collect();
            tables.push(Described { name: name.to_owned(), meaning: meaning.to_owned(), columns });
        }
        Ok(tables)
    }
}
